//! Counting changes: what a cache asks, at each use, to know whether what it holds is still true.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Key;
use crate::engine::Engine;
use crate::pattern::Pattern;

/// How often a key or anything below it has changed since this was made. Reading it touches no lock and no disk.
///
/// A change is counted before it is acknowledged. So a cache that takes the count, then reads the store, and uses what it
/// has read only as long as the count stays the same, answers nothing that an acknowledged change has made wrong.
pub struct ChangeCount {
    engine: Arc<dyn Engine>,
    id: u64,
    count: Arc<AtomicU64>,
}

impl ChangeCount {
    pub(crate) fn new(engine: Arc<dyn Engine>, prefix: &Key) -> Self {
        let (id, count) = engine.hub().register_count(&Pattern::At(prefix.clone()));
        Self { engine, id, count }
    }

    /// The count. It never goes down; one change may count more than once.
    pub fn get(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }
}

impl Drop for ChangeCount {
    fn drop(&mut self) {
        self.engine.hub().unregister(self.id);
    }
}

impl std::fmt::Debug for ChangeCount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ChangeCount").field(&self.get()).finish()
    }
}
