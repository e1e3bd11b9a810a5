//! Who is woken by which commit. It holds no events: a watch reads them from the history, at its own pace.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use crate::pattern::{Pattern, kind_of};
use crate::{Key, Revision};

/// Wakes watches and receivers. One per engine.
#[derive(Debug)]
pub(crate) struct Hub(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The last published revision.
    revision: Revision,
    closed: bool,
    next_id: u64,
    watchers: HashMap<u64, Watcher>,
    by_prefix: HashMap<String, Vec<u64>>,
    by_kind: HashMap<(String, String), Vec<u64>>,
    queues: HashMap<String, watch::Sender<()>>,
}

#[derive(Debug)]
struct Watcher {
    pattern: Pattern,
    notify: Arc<Notify>,
    /// The first and the last revision that it has not read and that may be about it.
    touched: Option<(Revision, Revision)>,
    /// How often it was touched.
    count: Arc<AtomicU64>,
}

/// What a watch has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pull {
    /// Nothing has happened up to this revision.
    Wait(Revision),
    /// Read the history after this revision.
    Read(Revision),
    /// The store has been closed.
    Closed,
}

impl Hub {
    pub(crate) fn new(revision: Revision) -> Self {
        Self(Mutex::new(State {
            revision,
            closed: false,
            next_id: 0,
            watchers: HashMap::new(),
            by_prefix: HashMap::new(),
            by_kind: HashMap::new(),
            queues: HashMap::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each critical section leaves the maps consistent even if it unwinds: only allocation can panic in them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a watch on what happens after a revision.
    pub(crate) fn register(&self, pattern: &Pattern, after: Revision) -> (u64, Arc<Notify>) {
        let mut state = self.state();
        let touched = (after < state.revision).then(|| (after.next(), state.revision));
        let notify = Arc::new(Notify::new());
        let watcher = Watcher { pattern: pattern.clone(), notify: notify.clone(), touched, count: Arc::default() };
        (state.add(watcher), notify)
    }

    /// Adds a count of what happens from now on.
    pub(crate) fn register_count(&self, pattern: &Pattern) -> (u64, Arc<AtomicU64>) {
        let count = Arc::<AtomicU64>::default();
        let notify = Arc::new(Notify::new());
        let watcher = Watcher { pattern: pattern.clone(), notify, touched: None, count: count.clone() };
        (self.state().add(watcher), count)
    }

    /// Removes a watch.
    pub(crate) fn unregister(&self, id: u64) {
        let mut state = self.state();
        let Some(watcher) = state.watchers.remove(&id) else { return };
        match watcher.pattern {
            Pattern::At(key) => forget(&mut state.by_prefix, key.as_str().to_owned(), id),
            Pattern::Kind { service, kind } => forget(&mut state.by_kind, (service, kind), id),
        }
    }

    /// Says what a watch that has read up to `position` has to do.
    pub(crate) fn pull(&self, id: u64, position: Revision) -> Pull {
        let state = self.state();
        match state.watchers.get(&id) {
            Some(Watcher { touched: Some((first, _)), .. }) => Pull::Read(position.max(first.before())),
            Some(_) if !state.closed => Pull::Wait(position.max(state.revision)),
            _ => Pull::Closed,
        }
    }

    /// Notes that a watch has read all up to a revision.
    pub(crate) fn caught_up(&self, id: u64, through: Revision) {
        if let Some(watcher) = self.state().watchers.get_mut(&id) {
            watcher.touched =
                watcher.touched.filter(|(_, last)| *last > through).map(|(_, last)| (through.next(), last));
        }
    }

    /// Tells of a commit: its revision, the keys that it changed and the queues that it put messages into.
    pub(crate) fn publish<'a>(
        &self,
        revision: Revision,
        keys: impl IntoIterator<Item = &'a Key>,
        queues: impl IntoIterator<Item = &'a str>,
    ) {
        let mut state = self.state();
        let state = &mut *state;
        state.revision = state.revision.max(revision);
        for key in keys {
            let kind = (!state.by_kind.is_empty()).then(|| kind_of(key)).flatten();
            let of_kind = kind.and_then(|(service, kind)| state.by_kind.get(&(service.to_owned(), kind.to_owned())));
            let at_prefix = key.and_above().filter_map(|prefix| state.by_prefix.get(prefix));
            for id in at_prefix.chain(of_kind).flatten() {
                if let Some(watcher) = state.watchers.get_mut(id) {
                    let first = watcher.touched.map_or(revision, |(first, _)| first);
                    watcher.touched = Some((first, revision));
                    watcher.count.fetch_add(1, Ordering::Release);
                    watcher.notify.notify_one();
                }
            }
        }
        for queue in queues {
            if let Some(sender) = state.queues.get(queue)
                && sender.send(()).is_err()
            {
                state.queues.remove(queue);
            }
        }
    }

    /// A receiver that changes whenever a message has been put into the queue.
    pub(crate) fn queue(&self, queue: &str) -> watch::Receiver<()> {
        let mut state = self.state();
        if state.closed {
            return watch::channel(()).1;
        }
        if state.queues.len() >= 64 && state.queues.len().is_power_of_two() {
            state.queues.retain(|_, sender| sender.receiver_count() > 0);
        }
        state.queues.entry(queue.to_owned()).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Ends all watches.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.queues.clear();
        for watcher in state.watchers.values() {
            watcher.notify.notify_one();
        }
    }
}

impl State {
    fn add(&mut self, watcher: Watcher) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        match &watcher.pattern {
            Pattern::At(key) => self.by_prefix.entry(key.as_str().to_owned()).or_default().push(id),
            Pattern::Kind { service, kind } => {
                self.by_kind.entry((service.clone(), kind.clone())).or_default().push(id);
            }
        }
        self.watchers.insert(id, watcher);
        id
    }
}

fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<u64>>, key: K, id: u64) {
    if let Some(ids) = index.get_mut(&key) {
        ids.retain(|it| *it != id);
        if ids.is_empty() {
            index.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_touched_by_its_own_keys_only() {
        let hub = Hub::new(Revision(5));
        let (id, _) = hub.register(&Pattern::At(Key::new(["a"])), Revision(5));
        hub.publish(Revision(6), [&Key::new(["b", "x"])], []);
        assert_eq!(hub.pull(id, Revision(5)), Pull::Wait(Revision(6)));
        hub.publish(Revision(7), [&Key::new(["a", "x"])], []);
        hub.publish(Revision(8), [&Key::new(["b", "x"])], []);
        assert_eq!(hub.pull(id, Revision(5)), Pull::Read(Revision(6)));
        hub.caught_up(id, Revision(8));
        assert_eq!(hub.pull(id, Revision(8)), Pull::Wait(Revision(8)));
    }

    #[test]
    fn what_is_published_while_a_watch_reads_is_not_lost() {
        let hub = Hub::new(Revision(1));
        let key = Key::new(["a"]);
        let (id, _) = hub.register(&Pattern::At(key.clone()), Revision(1));
        hub.publish(Revision(2), [&key], []);
        hub.publish(Revision(3), [&key], []);
        hub.caught_up(id, Revision(2));
        assert_eq!(hub.pull(id, Revision(2)), Pull::Read(Revision(2)));
    }

    #[test]
    fn a_watch_that_is_gone_leaves_nothing_behind() {
        let hub = Hub::new(Revision(1));
        let (id, _) = hub.register(&Pattern::kind("ecs", "task"), Revision(1));
        hub.unregister(id);
        let state = hub.state();
        assert!(state.watchers.is_empty() && state.by_kind.is_empty() && state.by_prefix.is_empty());
    }
}
