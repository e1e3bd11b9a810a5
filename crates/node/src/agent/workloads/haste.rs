//! Whether processes enter their groups without waiting: something of the whole host's, wanted only while workloads come and go.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Shared;

/// How long after the last workload that came the host is left as it usually is.
const IDLE_AFTER: Duration = Duration::from_secs(60);

/// Counts what comes.
#[derive(Debug)]
pub(super) struct Haste(watch::Sender<u64>);

impl Default for Haste {
    fn default() -> Self {
        Self(watch::Sender::new(0))
    }
}

impl Shared {
    /// Processes are about to enter groups. Nobody waits for this: it takes some milliseconds the first time, and there is other
    /// work to do meanwhile.
    pub(super) fn hasten(self: &Arc<Self>) {
        self.haste.0.send_modify(|count| *count += 1);
        let shared = Arc::clone(self);
        // What comes of it is seen by nothing but the time.
        drop(tokio::task::spawn_blocking(move || shared.cgroups.hasten()));
    }

    /// Undoes it whenever nothing has come for a while.
    pub(in crate::agent) async fn rest(self: Arc<Self>) {
        let mut coming = self.haste.0.subscribe();
        while coming.changed().await.is_ok() {
            while tokio::time::timeout(IDLE_AFTER, coming.changed()).await.is_ok_and(|changed| changed.is_ok()) {}
            let shared = Arc::clone(&self);
            drop(tokio::task::spawn_blocking(move || shared.cgroups.rest()).await);
        }
    }
}
