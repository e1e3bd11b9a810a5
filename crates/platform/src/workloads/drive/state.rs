//! What is known of a node while the server runs. Nothing of it is written down: the node tells it anew to whoever follows.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use workload::limits::CONTAINERS_MAX;
use workload::{ContainerState, Health, Observed, Phase, WorkloadId};

/// The most workloads that a node may tell of.
const KNOWN_MAX: usize = 20_000;
/// For how long what is told of a workload's way waits to be written down together with what comes next.
const GATHER: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct State {
    inner: Mutex<Inner>,
    signal: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    link: Link,
    known: BTreeMap<WorkloadId, Known>,
    /// The latest that was told of each and is not written down yet.
    told: BTreeMap<WorkloadId, Told>,
    retries: BTreeMap<WorkloadId, Retry>,
}

/// What the node is known to have of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// The generation that it works on.
    pub(super) generation: u64,
    /// Whether it has stopped there.
    pub(super) is_stopped: bool,
    /// Whether it was told to kill it, because nobody here wanted it.
    pub(super) is_condemned: bool,
    /// The manifests of its images, if they were made ready since the server started.
    pub(super) images: BTreeMap<String, String>,
    /// What was last heard of it that somebody may wait for; nothing before it was heard of.
    pub(super) turn: Option<Turn>,
}

impl Known {
    /// A workload of which nothing but this is known.
    pub(super) fn new(generation: u64) -> Self {
        Self { generation, is_stopped: false, is_condemned: false, images: BTreeMap::new(), turn: None }
    }
}

/// What of a workload somebody may wait for: that it runs, ends, fails or is unwell. Each is written down at once. How its
/// node gets there is not, so that a start costs a few commits and not one for every step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    phase: Phase,
    containers: Vec<(Discriminant<ContainerState>, Health, u32)>,
}

impl Turn {
    fn of(observed: &Observed) -> Self {
        let of = |one: &workload::ContainerObserved| (discriminant(&one.state), one.health, one.restarts);
        // What is made ready is on its way, and has come to nothing yet.
        let phase = if observed.phase == Phase::Pending { Phase::Preparing } else { observed.phase };
        // No workload has more, whatever a node says.
        Self { phase, containers: observed.containers.iter().take(CONTAINERS_MAX).map(of).collect() }
    }

    /// Whether it is no more than that the node is at it.
    fn is_beginning(&self, observed: &Observed) -> bool {
        let waits = |one: &workload::ContainerObserved| matches!(one.state, ContainerState::Waiting { .. });
        self.phase == Phase::Preparing && observed.containers.iter().all(waits)
    }
}

/// What the node told of a workload.
pub(super) struct Told {
    pub(super) generation: u64,
    pub(super) observed: Box<Observed>,
    pub(super) images: BTreeMap<String, String>,
    /// When it is to be written down.
    due: Timestamp,
}

/// When something that failed is tried again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Retry {
    /// How often an image could not be made ready.
    pub(super) image_failures: u32,
    /// How often anything failed.
    pub(super) failures: u32,
    pub(super) at: Timestamp,
}

/// The connection with the node.
#[derive(Default)]
pub(super) enum Link {
    /// There is none.
    #[default]
    New,
    /// It broke, or was not to be had.
    Down {
        /// Since when.
        since: Timestamp,
        /// How often it was tried since.
        failures: u32,
        /// When to try again.
        retry_at: Timestamp,
    },
    /// The node tells.
    Linked {
        /// Who listens.
        _follower: Follower,
        /// Whether all that the node has was told.
        is_caught_up: bool,
    },
}

/// The task that listens to the node; it ends with the link.
pub(super) struct Follower(pub(super) JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Whatever holds the lock changes whole values only.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes off when there is something to be done.
    pub(super) fn signal(&self) -> Arc<Notify> {
        Arc::clone(&self.signal)
    }

    /// Whether all that the node has is known, and it listens.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.lock().link, Link::Linked { is_caught_up: true, .. })
    }

    /// Reads the link, and perhaps replaces it.
    pub(super) fn with_link<T>(&self, change: impl FnOnce(&mut Link) -> T) -> T {
        change(&mut self.lock().link)
    }

    /// The link is down: what the node has will be told anew.
    pub(super) fn disconnected(&self, now: Timestamp) {
        let mut inner = self.lock();
        if matches!(inner.link, Link::Linked { .. }) {
            inner.link = Link::Down { since: now, failures: 0, retry_at: now };
        }
        drop(inner);
        self.signal.notify_one();
    }

    /// Nothing is known of what the node has.
    pub(super) fn forget_all(&self) {
        self.lock().known.clear();
    }

    /// All that the node has was told.
    pub(super) fn caught_up(&self) {
        if let Link::Linked { is_caught_up, .. } = &mut self.lock().link {
            *is_caught_up = true;
        }
        self.signal.notify_one();
    }

    /// The node told something. Answers whether there was room for it.
    pub(super) fn hear(&self, id: WorkloadId, generation: u64, observed: Box<Observed>, now: Timestamp) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.known.len() >= KNOWN_MAX && !inner.known.contains_key(&id) {
            return false;
        }
        let known = inner.known.entry(id.clone()).or_insert_with(|| Known::new(generation));
        known.generation = known.generation.max(generation);
        known.is_stopped |= observed.phase.is_final();
        let turn = Turn::of(&observed);
        let is_new = match &known.turn {
            None => !turn.is_beginning(&observed),
            Some(before) => turn != *before,
        };
        known.turn = Some(turn);
        let before = inner.told.get(&id);
        if before.is_some_and(|before| before.observed.sequence >= observed.sequence) {
            return true;
        }
        // What waited longer is not made to wait anew.
        let gathered = before.map_or_else(|| now.plus(GATHER), |before| before.due);
        // Somebody is called for the first of what is gathered, and comes when that is due.
        let calls = is_new || before.is_none();
        let (due, images) = (if is_new { now } else { gathered }, known.images.clone());
        inner.told.insert(id, Told { generation, observed, images, due });
        if calls {
            self.signal.notify_one();
        }
        true
    }

    /// What was told, is not written down yet and is to be by now; and when more is.
    pub(super) fn take_told(&self, now: Timestamp) -> (BTreeMap<WorkloadId, Told>, Option<Timestamp>) {
        let mut inner = self.lock();
        let (due, later): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut inner.told).into_iter().partition(|(_, told)| told.due <= now);
        let next = later.values().map(|told| told.due).min();
        inner.told = later;
        (due, next)
    }

    /// What could not be written down, unless something newer was told meanwhile.
    pub(super) fn put_back(&self, told: BTreeMap<WorkloadId, Told>) {
        let mut inner = self.lock();
        for (id, told) in told {
            let due = told.due;
            let newer = inner.told.entry(id).or_insert(told);
            newer.due = newer.due.min(due);
        }
    }

    /// What the node is known to have.
    pub(super) fn known(&self) -> BTreeMap<WorkloadId, Known> {
        self.lock().known.clone()
    }

    /// What the node is known to have of one workload.
    pub(super) fn known_of(&self, id: &WorkloadId) -> Option<Known> {
        self.lock().known.get(id).cloned()
    }

    /// The node has taken an assignment.
    pub(super) fn assigned(&self, id: &WorkloadId, generation: u64, images: BTreeMap<String, String>, condemned: bool) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let known = inner.known.entry(id.clone()).or_insert_with(|| Known::new(generation));
        known.generation = known.generation.max(generation);
        known.is_condemned |= condemned;
        if !images.is_empty() {
            // It may have told of the workload before this was heard.
            if let Some(told) = inner.told.get_mut(id) {
                told.images.clone_from(&images);
            }
            known.images = images;
        }
        inner.retries.remove(id);
    }

    /// The node has forgotten a workload.
    pub(super) fn retired(&self, id: &WorkloadId) {
        let mut inner = self.lock();
        inner.known.remove(id);
        inner.told.remove(id);
        inner.retries.remove(id);
    }

    /// When a workload is tried again, if something about it failed.
    pub(super) fn retry_at(&self, id: &WorkloadId) -> Option<Timestamp> {
        self.lock().retries.get(id).map(|retry| retry.at)
    }

    /// Notes that something about a workload failed.
    pub(super) fn failed(&self, id: &WorkloadId, note: impl FnOnce(&mut Retry)) {
        note(self.lock().retries.entry(id.clone()).or_default());
    }

    /// What failed about a workload does not matter any more.
    pub(super) fn settled(&self, id: &WorkloadId) {
        self.lock().retries.remove(id);
    }
}
