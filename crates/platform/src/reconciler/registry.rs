//! The reconcilers of a process.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::{Reconciler, ReconcilerStatus, Runner};
use crate::Platform;

/// Starts reconcilers and tells what they do. Cheap to clone; the loops go on when all handles are gone, and end with the
/// store.
#[derive(Clone)]
pub struct Reconcilers {
    platform: Platform,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    statuses: Vec<Arc<Mutex<ReconcilerStatus>>>,
    loops: JoinSet<()>,
}

impl Reconcilers {
    /// None yet.
    pub fn new(platform: &Platform) -> Self {
        Self { platform: platform.clone(), shared: Arc::default() }
    }

    /// Starts a reconciler's loop on the present runtime.
    ///
    /// # Panics
    /// If one of that name has been started: each state has one owner.
    pub fn start(&self, reconciler: Arc<dyn Reconciler>) {
        let runner = Runner::new(&self.platform, reconciler);
        let name = runner.status().name;
        assert!(self.list().iter().all(|status| status.name != name), "two reconcilers are called {name}");
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.statuses.push(runner.shared_status());
        shared.loops.spawn(runner.run());
    }

    /// What each does and did last, in the order in which they were started.
    pub fn list(&self) -> Vec<ReconcilerStatus> {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let read =
            |status: &Arc<Mutex<ReconcilerStatus>>| status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        shared.statuses.iter().map(read).collect()
    }

    /// Waits until all loops have ended, which they do when the store is closed.
    pub async fn ended(&self) {
        let loops = std::mem::take(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner).loops);
        drop(loops.join_all().await);
    }
}

impl std::fmt::Debug for Reconcilers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.list().iter().map(|status| &status.name)).finish()
    }
}
