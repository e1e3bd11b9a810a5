//! Events that were given up.

use std::time::Duration;

use base::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{ListOptions, Listing, Op, Record, Scope, StoreError, Tx, Versioned};

use super::Outbox;
use super::record::Pending;

/// How many dead letters are removed at once.
const BATCH: usize = 50;
/// How long one that is to be removed is held.
const HOLD: Duration = Duration::from_secs(30);

/// An event that was given up: at `_/_/outbox/dead-letter/<outbox>/<id>`, the first to die first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The event's id.
    pub event_id: String,
    /// What it was ordered by.
    pub key: String,
    /// What it says.
    pub payload: serde_json::Value,
    /// When it was put.
    pub put_at: Timestamp,
    /// When it was given up.
    pub died_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not delivered the last time.
    pub error: String,
}

impl Record for DeadLetter {
    const SERVICE: &'static str = "outbox";
    const KIND: &'static str = "dead-letter";
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Outbox<P> {
    /// Gives an event up.
    pub(super) async fn bury(
        &self,
        head: &Versioned<Pending<serde_json::Value>>,
        attempts: u32,
        error: String,
    ) -> Result<(), StoreError> {
        tracing::error!(
            outbox = self.name,
            key = head.value.key,
            event = head.value.event_id,
            error,
            "an event is given up"
        );
        let now = self.clock.now();
        let dead = DeadLetter {
            event_id: head.event_id.clone(),
            key: head.value.key.clone(),
            payload: head.payload.clone(),
            put_at: head.put_at,
            died_at: now,
            attempts,
            error,
        };
        let id = format!("{:016x}-{}", now.as_millis().max(0), dead.event_id);
        let mut tx = Tx::new();
        tx.remove(head);
        tx.insert(&Scope::system(), &[self.name, &id], &dead);
        tx.enqueue(&self.dead_queue, id, Vec::new(), now.plus(self.options.dead_letters_kept));
        self.store.commit(tx).await?;
        self.bound_dead_letters().await
    }

    async fn bound_dead_letters(&self) -> Result<(), StoreError> {
        let count = self.store.count(&self.dead_queue).await?;
        if count.visible + count.held + count.delayed <= self.options.dead_letters_max {
            return Ok(());
        }
        let Some(oldest) = self.dead_letters(None, 1).await?.items.pop() else { return Ok(()) };
        match self.store.commit(self.without(&oldest)).await {
            // It has been put back, or its time was over.
            Err(StoreError::Conflict { .. }) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// A transaction that removes a dead letter.
    fn without(&self, dead: &Versioned<DeadLetter>) -> Tx {
        let mut tx = Tx::new();
        tx.remove(dead);
        tx.op(Op::Remove { queue: self.dead_queue.clone(), id: dead.name().to_owned() });
        tx
    }

    /// The events that were given up, the first to die first. A listing goes on after its [`Listing::next`].
    pub async fn dead_letters(&self, after: Option<&str>, limit: usize) -> Result<Listing<DeadLetter>, StoreError> {
        let options = ListOptions { id_prefix: &[self.name], after, limit, at: None };
        self.store.list(&Scope::system(), options).await
    }

    /// Puts a dead letter back, behind what waits of its key; all its tries are before it again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if it is no longer there.
    pub async fn redrive(&self, dead: &Versioned<DeadLetter>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let event = Pending::new(dead.event_id.clone(), dead.value.key.clone(), dead.payload.clone(), now);
        let mut tx = self.without(dead);
        let group = self.insert(&mut tx, &Pending { put_at: dead.put_at, ..event });
        tx.enqueue(&self.queue, group, Vec::new(), now);
        self.store.commit(tx).await.map(drop)
    }

    /// Removes the dead letters whose time is over.
    pub(super) async fn forget_dead_letters(&self) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let due = self.store.receive(&self.dead_queue, BATCH, HOLD).await?;
            if due.is_empty() {
                return Ok(forgotten);
            }
            for message in &due {
                let mut tx = Tx::new();
                tx.ack(message);
                if let Some(dead) = self.store.read::<DeadLetter>(&Scope::system(), &[self.name, &message.id]).await? {
                    tx.remove(&dead);
                }
                match self.store.commit(tx).await {
                    Ok(_) => forgotten += 1,
                    Err(StoreError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
