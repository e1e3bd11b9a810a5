//! Events that go with a change: written in its transaction, delivered after it.
//!
//! A handler puts an event into the transaction that makes the change ([`Outbox::put`]): either both happen or neither. A
//! [`Dispatcher`] hands it to a [`Deliver`], which is a port to another service.
//!
//! What holds:
//! - **At least once.** An event is removed after its delivery was answered; a process that dies in between delivers it
//!   again, with the same [`Event::id`].
//! - **In order per key.** Of two events of one key the later one is not delivered before the earlier one has been, or was
//!   given up. Earlier is what was committed earlier; of transactions that ran at the same time and guard nothing in
//!   common, either. Keys do not wait for each other.
//! - **Given up visibly.** An event that fails for good, too often or for too long becomes a [`DeadLetter`], which can be
//!   listed and put back; the events of its key go on.
//!
//! # How it is stored
//!
//! Events are records, `_/_/outbox/event/<outbox>/<group>/<order>`, because a queue cannot keep the order of what has been
//! received and not acknowledged. A group is a key's hash. The order begins with the revision at which the transaction was
//! built: whoever builds one after another was committed sees a later revision. A queue beside them has one message a
//! group, enqueued by each put, which says that the group has something to deliver, and when. It is removed only by a
//! transaction that finds the group empty.

mod dead_letter;
mod dispatch;
mod record;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{Clock, Rng, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use store::{Key, ListOptions, QueueCount, Scope, Store, StoreError, Tx};

pub use dead_letter::DeadLetter;
pub use dispatch::Dispatcher;

use crate::backoff::Backoff;
use crate::reconciler::Cause;
use crate::{BoxFuture, Platform};
use record::Pending;

/// How many events [`Outbox::depth`] counts at most.
pub const DEPTH_COUNTED_MAX: usize = 1000;

/// An event to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<P> {
    /// The same each time that it is delivered.
    pub id: String,
    /// What it is ordered by.
    pub key: String,
    /// What it says.
    pub payload: P,
    /// When it was put.
    pub put_at: Timestamp,
    /// Which try this is, as far as processes have lived to count; 1 is the first.
    pub attempt: u32,
}

/// Where events go.
pub trait Deliver<P>: Send + Sync + 'static {
    /// Delivers an event. It is dropped at any await when the process dies or it takes too long, and then called again.
    fn deliver<'a>(&'a self, event: &'a Event<P>) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

/// Why an event was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// It may be later.
    #[error("{0}")]
    Transient(Cause),
    /// It never will: the destination is gone, or cannot read it.
    #[error("{0}")]
    Permanent(Cause),
}

impl DeliveryError {
    /// Something that may succeed later.
    pub fn transient(cause: impl Into<Cause>) -> Self {
        Self::Transient(cause.into())
    }

    /// Something that never will.
    pub fn permanent(cause: impl Into<Cause>) -> Self {
        Self::Permanent(cause.into())
    }
}

impl From<StoreError> for DeliveryError {
    fn from(error: StoreError) -> Self {
        Self::transient(error)
    }
}

/// How an outbox delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryOptions {
    /// How often an event is tried before it is given up.
    pub attempts_max: u32,
    /// How old an event is when it is given up: at the first failure after that.
    pub age_max: Duration,
    /// The waits between tries.
    pub backoff: Backoff,
    /// The longest that one try may take.
    pub limit: Duration,
    /// How many keys are delivered at once.
    pub concurrent_max: usize,
    /// How long dead letters are kept.
    pub dead_letters_kept: Duration,
    /// How many dead letters are kept: the oldest goes first.
    pub dead_letters_max: u64,
}

impl Default for DeliveryOptions {
    /// 185 tries within a day, as EventBridge's default is; 30 seconds a try; 14 days for dead letters, as long as SQS keeps
    /// a message.
    fn default() -> Self {
        Self {
            attempts_max: 185,
            age_max: Duration::from_secs(24 * 3600),
            backoff: Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(600) },
            limit: Duration::from_secs(30),
            concurrent_max: 16,
            dead_letters_kept: Duration::from_secs(14 * 24 * 3600),
            dead_letters_max: 10_000,
        }
    }
}

/// How much waits in an outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxDepth {
    /// The events that are not delivered yet; [`DEPTH_COUNTED_MAX`] if there are as many or more.
    pub events: usize,
    /// When the oldest of those counted was put.
    pub oldest: Option<Timestamp>,
    /// The groups that have something: visible ones can be delivered now, held ones are being, delayed ones have failed.
    pub groups: QueueCount,
    /// The events that were given up.
    pub dead_letters: u64,
}

/// Events of one kind on their way.
pub struct Outbox<P> {
    name: &'static str,
    queue: String,
    dead_queue: String,
    options: DeliveryOptions,
    store: Store,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    puts: AtomicU64,
    payload: std::marker::PhantomData<fn(P) -> P>,
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Outbox<P> {
    /// The outbox of a name: `s3/notifications`. There is one of it in a process.
    pub fn new(platform: &Platform, name: &'static str, options: DeliveryOptions) -> Arc<Self> {
        Arc::new(Self {
            name,
            queue: format!("outbox/{name}"),
            dead_queue: format!("outbox-dead-letters/{name}"),
            options,
            store: platform.store.clone(),
            clock: platform.clock.clone(),
            rng: platform.rng.clone(),
            puts: AtomicU64::new(0),
            payload: std::marker::PhantomData,
        })
    }

    /// Puts an event into a transaction and answers its id. Of one key a transaction takes one such call: several events
    /// go by [`Outbox::put_all`].
    ///
    /// Call it after what the transaction guards has been read: that is what makes the order.
    pub fn put(&self, tx: &mut Tx, key: &str, payload: P) -> String {
        self.put_all(tx, [(key.to_owned(), payload)]).pop().expect("one event was put, and each has an id")
    }

    /// Puts events into a transaction, in their order, and answers their ids. A transaction has room for 128 operations:
    /// an event is one, and each of their keys is one.
    pub fn put_all(&self, tx: &mut Tx, events: impl IntoIterator<Item = (String, P)>) -> Vec<String> {
        let now = self.clock.now();
        let mut groups = std::collections::BTreeSet::new();
        let mut ids = Vec::new();
        for (key, payload) in events {
            let pending = Pending::new(base::ids::uuid(&*self.rng), key, payload, now);
            let group = self.insert(tx, &pending);
            ids.push(pending.event_id);
            if groups.insert(group.clone()) {
                tx.enqueue(&self.queue, group, Vec::new(), now);
            }
        }
        ids
    }

    /// How much waits.
    pub async fn depth(&self) -> Result<OutboxDepth, StoreError> {
        let options = ListOptions { id_prefix: &[self.name], limit: DEPTH_COUNTED_MAX, ..ListOptions::default() };
        let waiting = self.store.list::<Pending<serde_json::Value>>(&Scope::system(), options).await?;
        let dead = self.store.count(&self.dead_queue).await?;
        Ok(OutboxDepth {
            events: waiting.items.len(),
            oldest: waiting.items.iter().map(|it| it.put_at).min(),
            groups: self.store.count(&self.queue).await?,
            dead_letters: dead.visible + dead.held + dead.delayed,
        })
    }

    /// Adds an event to those that wait, and answers its group.
    fn insert<Q>(&self, tx: &mut Tx, pending: &Pending<Q>) -> String
    where
        Q: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let group = hex::encode(&Sha256::digest(pending.key.as_bytes())[..16]);
        // The revision makes the order between transactions, the count that within one; the id makes it unique.
        let (revision, count) = (self.store.revision().0, self.puts.fetch_add(1, Ordering::SeqCst));
        let order = format!("{revision:016x}{count:016x}-{}", pending.event_id);
        tx.insert(&Scope::system(), &[self.name, &group, &order], pending);
        group
    }

    /// What the events of a group lie below.
    fn group_key(&self, group: &str) -> Key {
        record::events_key().join([self.name, group])
    }
}

impl<P> std::fmt::Debug for Outbox<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbox").field("name", &self.name).finish_non_exhaustive()
    }
}
