//! Removes task definitions that are DELETE_IN_PROGRESS, once their time has come and nothing uses them.
//!
//! DeleteTaskDefinitions leaves a message in a queue, in its own transaction; the message can be received when the time
//! has come. A message that is received and not acknowledged comes back, so a process that dies in between loses nothing.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
use serde::{Deserialize, Serialize};
use store::{Message, Scope, StoreError, Tx, Versioned};

use crate::Error;
use crate::names::DefinitionId;
use crate::task_definition::{Lifecycle, TaskDefinition, Transition};

/// How long a task definition stays describable after its deletion was asked for; AWS says up to an hour.
pub const KEPT: Duration = Duration::from_secs(3600);
/// The queue of what is to be removed, and the name of who removes it.
const QUEUE: &str = "ecs/task-definition-deletions";
/// How many messages are received at once.
const BATCH: usize = 16;
/// How long a message is held before it comes back.
const HOLD: Duration = Duration::from_secs(60);

/// Which revision is to be removed.
#[derive(Debug, Serialize, Deserialize)]
struct Removal {
    account: base::AccountId,
    region: base::Region,
    id: String,
}

/// Leaves the message that has a revision removed when its time has come.
pub(crate) fn schedule(tx: &mut Tx, definition: &Versioned<TaskDefinition>, now: Timestamp) {
    let scope = &definition.scope;
    let (Some(account), Some(region)) = (scope.account(), scope.region().cloned()) else { return };
    let removal = Removal { account, region, id: definition.name().to_owned() };
    let id = format!("{account}/{}/{}", removal.region, removal.id);
    let body = serde_json::to_vec(&removal).expect("three texts always serialize");
    tx.enqueue(QUEUE, id, body, now.plus(KEPT));
}

/// Removes what is due, and answers how many revisions that were. Removing stops when there is no more.
///
/// # Errors
/// What the store answers. What was received comes back later.
pub async fn sweep(platform: &Platform) -> Result<usize, Error> {
    let mut removed = 0;
    loop {
        let messages = platform.store.receive(QUEUE, BATCH, HOLD).await?;
        if messages.is_empty() {
            return Ok(removed);
        }
        for message in &messages {
            match remove(platform, message).await {
                Ok(gone) => removed += usize::from(gone),
                // Somebody changed the family in between, or holds the message: it comes back.
                Err(Error::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The reconciler that sweeps whenever something is due.
pub fn reconciler(platform: &Platform) -> Arc<dyn Reconciler> {
    Arc::new(Removals { platform: platform.clone() })
}

struct Removals {
    platform: Platform,
}

impl Reconciler for Removals {
    fn name(&self) -> &str {
        QUEUE
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let removed = sweep(&self.platform).await?;
            let next = self.platform.store.count(QUEUE).await?.next_visible_at;
            Ok(Round::did(removed as u64, format!("removed {removed} revisions of task definitions")).due(next))
        })
    }
}

/// Removes a revision and acknowledges its message in one transaction.
///
/// Nothing uses a task definition yet: whoever brings tasks and services puts the message off here while there are any
/// of the revision.
async fn remove(platform: &Platform, message: &Message) -> Result<bool, Error> {
    let store = &platform.store;
    let Ok(removal) = serde_json::from_slice::<Removal>(&message.body) else {
        tracing::error!(id = %message.id, "a message in {QUEUE} cannot be read and is dropped");
        store.ack(message).await?;
        return Ok(false);
    };
    let scope = Scope::new(removal.account, removal.region);
    let found: Option<Versioned<TaskDefinition>> = store.read(&scope, &[&removal.id]).await?;
    let mut transition = Transition::new();
    transition.tx().ack(message);
    let deleting = found.filter(|it| matches!(it.lifecycle, Lifecycle::DeleteInProgress { .. }));
    let id = DefinitionId::from_key(&removal.id);
    let is_removed = match (&deleting, &id) {
        (Some(definition), Some(id)) => {
            transition.remove(&id.family, definition);
            true
        }
        _ => false,
    };
    transition.commit(store, &scope).await?;
    Ok(is_removed)
}
