//! Who wants to know at once that a node has taken a workload.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use workload::WorkloadId;

use super::Workloads;

/// Who has not looked for so many has missed the oldest.
const UNSEEN_MAX: usize = 1024;

/// Tells what nodes have taken.
pub(super) fn teller() -> broadcast::Sender<WorkloadId> {
    broadcast::channel(UNSEEN_MAX).0
}

/// Hears which workloads nodes take, from when it was made on. Nothing of it is written down and one may be missed, so it is
/// good only for being early: what is true is told by the records.
#[derive(Debug)]
pub struct Takes(broadcast::Receiver<WorkloadId>);

impl Workloads {
    /// Hears which workloads nodes take from now on.
    pub fn takes(&self) -> Takes {
        Takes(self.takes.subscribe())
    }
}

impl Takes {
    /// Waits until a node has taken this one; for ever, if that was missed. May be dropped and called again.
    pub async fn of(&mut self, id: &WorkloadId) {
        loop {
            match self.0.recv().await {
                Ok(taken) if taken == *id => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }
}
