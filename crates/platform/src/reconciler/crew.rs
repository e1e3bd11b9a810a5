//! Work that goes on beside a reconciler's rounds, one task a subject.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Cause, Wake};
use crate::guarded::caught;

/// A bounded number of tasks, never two for one subject. A round starts them and does not wait; each that ends wakes the
/// next round. They are stopped, wherever they are, when the crew is dropped.
pub(crate) struct Crew {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
    places: usize,
}

struct Shared {
    state: Mutex<State>,
    ended: Arc<Notify>,
}

#[derive(Default)]
struct State {
    /// The subjects at work, and whether each must look again before it ends.
    busy: BTreeMap<String, bool>,
    failure: Option<Cause>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What holds the lock only inserts, removes and replaces whole values.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the task goes on, because somebody wanted it to look again while it worked.
    fn goes_on(&self, subject: &str, result: Result<(), Cause>) -> bool {
        let mut state = self.lock();
        match result {
            Ok(()) => {
                if let Some(again) = state.busy.get_mut(subject)
                    && std::mem::take(again)
                {
                    return true;
                }
            }
            Err(cause) => state.failure = state.failure.take().or(Some(cause)),
        }
        state.busy.remove(subject);
        false
    }
}

impl Crew {
    pub(crate) fn new(places: usize) -> Self {
        let shared = Shared { state: Mutex::default(), ended: Arc::new(Notify::new()) };
        Self { shared: Arc::new(shared), tasks: Mutex::default(), places }
    }

    /// Goes off when a task has ended.
    pub(crate) fn wake(&self) -> Wake {
        Wake::Signal(self.shared.ended.clone())
    }

    /// How many more can be started.
    pub(crate) fn places_left(&self) -> usize {
        self.places.saturating_sub(self.shared.lock().busy.len())
    }

    /// The failure of a task, if one failed since the last call: the round fails with it, and its backoff keeps the task
    /// from being started over and over.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        self.shared.lock().failure.take().map_or(Ok(()), Err)
    }

    /// Starts the work on a subject; if it is going on already, has it look again before it ends. Answers whether it was
    /// started.
    pub(crate) fn start<F>(&self, subject: &str, mut work: impl FnMut() -> F + Send + 'static) -> bool
    where
        F: Future<Output = Result<(), Cause>> + Send + 'static,
    {
        {
            let mut state = self.shared.lock();
            if let Some(again) = state.busy.get_mut(subject) {
                *again = true;
                return false;
            }
            state.busy.insert(subject.to_owned(), false);
        }
        let (shared, subject) = (self.shared.clone(), subject.to_owned());
        let task = async move {
            loop {
                let result = caught(work()).await.map_err(Cause::from).flatten();
                if !shared.goes_on(&subject, result) {
                    break;
                }
            }
            shared.ended.notify_one();
        };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
        true
    }
}
