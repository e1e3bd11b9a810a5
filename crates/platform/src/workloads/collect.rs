//! Removes stopped workloads that are not to be kept.
//!
//! Whoever ends such a workload puts a message into a queue, in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Message, Scope, StoreError, Tx};
use workload::WorkloadId;

use super::record::{Owner, Removal};
use super::{Shipped, Workload, WorkloadError, Workloads};
use crate::BoxFuture;
use crate::reconciler::{Cause, Reconciler, Round, Wake};

/// The queue of those that are to be removed.
const QUEUE: &str = "workload/collect";
/// For how long a workload that is removed by itself can be seen to have stopped: whoever started it wants its exit code and
/// the end of its output.
const LINGER: Duration = Duration::from_secs(10);
/// For how long at most a workload waits for the end of its output to be sent on.
const SHIPPING_MAX: Duration = Duration::from_secs(300);
/// When it is looked again whether all output has been sent on.
const SHIPPING_WAIT: Duration = Duration::from_secs(1);
/// How many are taken up at once, and for how long they are held.
const BATCH: usize = 100;
const HOLD: Duration = Duration::from_secs(60);

/// What a message says.
#[derive(Serialize, Deserialize)]
struct Due {
    owner: Owner,
    id: WorkloadId,
}

/// Has a workload that has stopped removed when its time has come, unless it is to be kept.
pub(super) fn enqueue(tx: &mut Tx, scope: &Scope, workload: &Workload, now: Timestamp) {
    if !workload.is_stopped() || workload.removal == Removal::Kept {
        return;
    }
    let due = Due { owner: Owner::of(scope), id: workload.workload_id.clone() };
    let at = if workload.removal == Removal::Asked { now } else { now.plus(LINGER) };
    // It is made of texts alone, which can always be written.
    let body = serde_json::to_vec(&due).unwrap_or_default();
    tx.enqueue(QUEUE, workload.workload_id.as_str(), body, at);
}

struct Collect(Workloads);

/// What became of a message.
enum Settled {
    Gone,
    Later(Timestamp),
}

impl Reconciler for Collect {
    fn name(&self) -> &str {
        "workload/collect"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let store = self.0.store();
            let mut removed = 0;
            loop {
                let due = store.receive(QUEUE, BATCH, HOLD).await?;
                if due.is_empty() {
                    break;
                }
                let mut gone = Vec::new();
                for message in &due {
                    match self.settle(message).await? {
                        Settled::Gone => gone.push(message),
                        Settled::Later(at) => settled(store.extend(message, at).await)?,
                    }
                }
                removed += gone.len() as u64;
                self.acknowledge(&gone).await?;
            }
            let next = store.count(QUEUE).await?.next_visible_at;
            Ok(Round::did(removed, format!("removed {removed} stopped workloads")).due(next))
        })
    }
}

/// A message that was put into the queue anew meanwhile comes again.
fn settled(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::ReceiptLost { .. }) => Ok(()),
        outcome => outcome,
    }
}

impl Collect {
    /// Takes messages out of the queue, in one transaction.
    async fn acknowledge(&self, gone: &[&Message]) -> Result<(), StoreError> {
        let store = self.0.store();
        let mut tx = Tx::new();
        for message in gone {
            tx.ack(message);
        }
        if tx.is_empty() {
            return Ok(());
        }
        match store.commit(tx).await {
            // One of them was put there anew: each by itself.
            Err(error) if error.is_conflict() => {
                for message in gone {
                    settled(store.ack(message).await)?;
                }
                Ok(())
            }
            taken => taken.map(drop),
        }
    }

    async fn settle(&self, message: &Message) -> Result<Settled, WorkloadError> {
        let Ok(due) = serde_json::from_slice::<Due>(&message.body) else { return Ok(Settled::Gone) };
        let gone = self.0.collect(&due.owner.scope(), &due.id).await?;
        Ok(if gone { Settled::Gone } else { Settled::Later(self.0.now().plus(SHIPPING_WAIT)) })
    }
}

impl Workloads {
    /// Removes a workload if it has stopped and all its output has been sent on. Answers whether it is gone.
    pub(super) async fn collect(&self, scope: &Scope, id: &WorkloadId) -> Result<bool, WorkloadError> {
        let Some(found) = self.get(scope, id).await? else { return Ok(true) };
        if !found.is_stopped() || !self.has_shipped(&found).await? {
            return Ok(false);
        }
        match self.erase(&found).await {
            Ok(()) => Ok(true),
            // Somebody else came between: it is looked at again.
            Err(WorkloadError::Store(error)) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether all output has been sent on, or has had its time.
    async fn has_shipped(&self, workload: &Workload) -> Result<bool, WorkloadError> {
        let Some(node) = workload.node.as_ref().filter(|_| workload.accepted > 0) else { return Ok(true) };
        let stopped_at = workload.observed.as_ref().and_then(|observed| observed.stopped_at);
        if stopped_at.is_some_and(|at| self.now().since(at) >= SHIPPING_MAX) {
            return Ok(true);
        }
        for container in workload.sinks.keys() {
            let id = [node.as_str(), workload.workload_id.as_str(), container];
            let shipped = self.store().read::<Shipped>(&Scope::system(), &id).await?;
            if !shipped.is_some_and(|shipped| shipped.is_done) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The reconciler, to be started once.
pub(super) fn reconciler(workloads: &Workloads) -> Arc<dyn Reconciler> {
    Arc::new(Collect(workloads.clone()))
}
