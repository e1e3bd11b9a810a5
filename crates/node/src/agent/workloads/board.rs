//! What everybody who follows is told: the latest of each workload.

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

    /// What came of a workload.
    pub(super) fn put(&self, id: &WorkloadId, generation: u64, observed: Observed) {
        let mut state = self.lock();
        state.last += 1;
        let change = state.last;
        let told = Told { change, generation, observed: Arc::new(observed) };
        if let Some(before) = state.by_id.insert(id.clone(), told) {
            state.by_change.remove(&before.change);
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

    /// Hears that something has changed.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
