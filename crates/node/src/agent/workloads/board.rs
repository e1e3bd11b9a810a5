//! What is told of each workload: the latest, to everybody who follows, or to its own session alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use workload::{Observed, WorkloadId};

/// The latest of each workload, in the order in which it changed.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    by_change: BTreeMap<u64, WorkloadId>,
    by_id: HashMap<WorkloadId, Told>,
    /// Those of which nobody is told who follows, by the number of their latest change.
    apart: HashMap<WorkloadId, watch::Sender<u64>>,
}

/// What is told of a workload.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) change: u64,
    pub(super) generation: u64,
    pub(super) observed: Arc<Observed>,
}

impl Board {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), changed: watch::Sender::new(0) }
    }

    /// Of this workload, which comes, those who follow are told nothing.
    pub(super) fn keep_apart(&self, id: &WorkloadId) {
        self.lock().apart.insert(id.clone(), watch::Sender::new(0));
    }

    /// What came of a workload.
    pub(super) fn put(&self, id: &WorkloadId, generation: u64, observed: Observed) {
        let mut state = self.lock();
        state.last += 1;
        let change = state.last;
        let told = Told { change, generation, observed: Arc::new(observed) };
        if let Some(before) = state.by_id.insert(id.clone(), told) {
            state.by_change.remove(&before.change);
        }
        if let Some(own) = state.apart.get(id) {
            own.send_replace(change);
            return;
        }
        state.by_change.insert(change, id.clone());
        drop(state);
        self.changed.send_replace(change);
    }

    /// There is no such workload any more.
    pub(super) fn remove(&self, id: &WorkloadId) {
        let mut state = self.lock();
        if let Some(before) = state.by_id.remove(id) {
            state.by_change.remove(&before.change);
        }
        state.apart.remove(id);
        // Whoever waits for something of it looks again.
        state.last += 1;
        let change = state.last;
        drop(state);
        self.changed.send_replace(change);
    }

    /// The latest of a workload.
    pub(super) fn get(&self, id: &WorkloadId) -> Option<Told> {
        self.lock().by_id.get(id).cloned()
    }

    /// The first that changed after a change.
    pub(super) fn after(&self, change: u64) -> Option<(WorkloadId, Told)> {
        let state = self.lock();
        let (_, id) = state.by_change.range(change + 1..).next()?;
        Some((id.clone(), state.by_id.get(id)?.clone()))
    }

    /// Hears that something has changed of those that everybody is told of, or that one is not there any more.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Hears that something has changed, of this workload at least. Nothing more comes when one that is kept apart is not there any
    /// more.
    pub(super) fn changes_of(&self, id: &WorkloadId) -> watch::Receiver<u64> {
        self.lock().apart.get(id).map_or_else(|| self.changed.subscribe(), watch::Sender::subscribe)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_kept_apart_who_follows_hears_nothing_and_who_asks_does() {
        let board = Board::new();
        let [own, other]: [WorkloadId; 2] = ["a", "b"].map(|digit| digit.repeat(32).parse().unwrap());
        let observed = |sequence| {
            let mut state = super::super::state::State::new(&workload::Spec::default(), "boot", |_| None);
            state.skip(sequence, 0);
            state.observed(&workload::Spec::default())
        };
        board.keep_apart(&own);
        let (all, mut of_own) = (board.changes(), board.changes_of(&own));
        board.put(&own, 1, observed(1));
        assert!(board.after(0).is_none() && !all.has_changed().unwrap());
        assert!(of_own.has_changed().unwrap());
        of_own.mark_unchanged();
        board.put(&other, 1, observed(2));
        assert_eq!(board.after(0).unwrap().0, other);
        assert!(!of_own.has_changed().unwrap());
        assert_eq!(board.get(&own).unwrap().observed.sequence, 1);
        board.remove(&own);
        assert!(of_own.has_changed().is_err() && board.get(&own).is_none());
    }
}
