//! What is known of a node while the server runs. Nothing of it is written down: the node tells it anew to whoever follows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use workload::{Observed, WorkloadId};

/// The most workloads that a node may tell of.
const KNOWN_MAX: usize = 20_000;

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
}

/// What the node told of a workload.
pub(super) struct Told {
    pub(super) generation: u64,
    pub(super) observed: Box<Observed>,
    pub(super) images: BTreeMap<String, String>,
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
    pub(super) fn hear(&self, id: WorkloadId, generation: u64, observed: Box<Observed>) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        if inner.known.len() >= KNOWN_MAX && !inner.known.contains_key(&id) {
            return false;
        }
        let is_stopped = observed.phase.is_final();
        let fresh = Known { generation, is_stopped, is_condemned: false, images: BTreeMap::new() };
        let known = inner.known.entry(id.clone()).or_insert(fresh);
        known.generation = known.generation.max(generation);
        known.is_stopped |= is_stopped;
        let images = known.images.clone();
        let is_newer = inner.told.get(&id).is_none_or(|told| told.observed.sequence < observed.sequence);
        if is_newer {
            inner.told.insert(id, Told { generation, observed, images });
        }
        self.signal.notify_one();
        true
    }

    /// All that was told and is not written down yet.
    pub(super) fn take_told(&self) -> BTreeMap<WorkloadId, Told> {
        std::mem::take(&mut self.lock().told)
    }

    /// What could not be written down, unless something newer was told meanwhile.
    pub(super) fn put_back(&self, told: BTreeMap<WorkloadId, Told>) {
        let mut inner = self.lock();
        for (id, told) in told {
            inner.told.entry(id).or_insert(told);
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
        let fresh = Known { generation, is_stopped: false, is_condemned: false, images: BTreeMap::new() };
        let known = inner.known.entry(id.clone()).or_insert(fresh);
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
