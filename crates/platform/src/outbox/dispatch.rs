//! Delivers what waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{Guard, ListOptions, Op, Scope, StoreError, Tx, Txn, Versioned};

use super::record::{Pending, keep_no_history};
use super::{Deliver, DeliveryError, Event, Outbox};
use crate::BoxFuture;
use crate::guarded::{brief, limited};
use crate::reconciler::{Cause, Crew, Reconciler, Round, Wake};

/// How long a group's message is held: so long after a process died, another one takes up what it was delivering. One
/// that is delivered for longer is seen again in between, and left alone.
const HOLD: Duration = Duration::from_secs(5);
/// How many events of a group are read at once.
const HEADS: usize = 16;
/// How many events of a group are delivered before other groups have their turn.
const TURN_EVENTS_MAX: usize = 256;

/// Hands the events of an outbox to where they go. It is a [`Reconciler`]: start it as one. One process delivers an outbox
/// at a time; two would deliver each event twice.
pub struct Dispatcher<P> {
    delivery: Arc<Delivery<P>>,
    crew: Crew,
    name: String,
    is_prepared: AtomicBool,
}

struct Delivery<P> {
    outbox: Arc<Outbox<P>>,
    to: Arc<dyn Deliver<P>>,
}

/// What became of a group's first event.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    /// It was delivered or given up: the next one is first.
    Gone,
    /// It is tried again later, and the group's message says when.
    PutOff,
    /// Somebody else changed it: the group must be read again.
    Changed,
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Dispatcher<P> {
    /// Delivers what is put into `outbox` to `to`.
    pub fn new(outbox: &Arc<Outbox<P>>, to: Arc<dyn Deliver<P>>) -> Arc<Self> {
        Arc::new(Self {
            delivery: Arc::new(Delivery { outbox: outbox.clone(), to }),
            crew: Crew::new(outbox.options.concurrent_max),
            name: format!("outbox/{}", outbox.name),
            is_prepared: AtomicBool::new(false),
        })
    }

    /// Gives each group that has something to deliver to a task of its own, as far as there are places.
    async fn set_going(&self) -> Result<u64, StoreError> {
        let outbox = &self.delivery.outbox;
        let mut started = 0;
        loop {
            let places = self.crew.places_left();
            let messages =
                if places == 0 { Vec::new() } else { outbox.store.receive(&outbox.queue, places, HOLD).await? };
            if messages.is_empty() {
                return Ok(started);
            }
            for message in messages {
                let (delivery, group) = (self.delivery.clone(), message.id.clone());
                started += u64::from(self.crew.start(&message.id, move || turn(delivery.clone(), group.clone())));
            }
        }
    }
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Reconciler for Dispatcher<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn wakes(&self) -> Vec<Wake> {
        let outbox = &self.delivery.outbox;
        vec![Wake::Queue(outbox.queue.clone()), Wake::Queue(outbox.dead_queue.clone()), self.crew.wake()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let outbox = &self.delivery.outbox;
            self.crew.check()?;
            if !self.is_prepared.load(Ordering::Relaxed) {
                keep_no_history(&outbox.store).await?;
                self.is_prepared.store(true, Ordering::Relaxed);
            }
            let forgotten = outbox.forget_dead_letters().await?;
            let started = self.set_going().await?;
            let mut due = None;
            for queue in [&outbox.queue, &outbox.dead_queue] {
                due = due.into_iter().chain(outbox.store.count(queue).await?.next_visible_at).min();
            }
            let did = format!("began to deliver {started} keys, forgot {forgotten} dead letters");
            Ok(Round::did(started + forgotten, did).due(due))
        })
    }
}

impl<P> std::fmt::Debug for Dispatcher<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Delivers a group's events, one after the other, until none is left, one must wait, or it has had its turn. In each case
/// the group's message says what is still to be done.
async fn turn<P>(delivery: Arc<Delivery<P>>, group: String) -> Result<(), Cause>
where
    P: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let outbox = &delivery.outbox;
    let mut left = TURN_EVENTS_MAX;
    loop {
        let options = ListOptions { id_prefix: &[outbox.name, &group], limit: HEADS, ..ListOptions::default() };
        let heads = outbox.store.list::<Pending<Value>>(&Scope::system(), options).await?.items;
        if heads.is_empty() && outbox.rest(&group).await? {
            return Ok(());
        }
        for head in &heads {
            if left == 0 {
                outbox.store.enqueue(&outbox.queue, &group, Vec::new(), outbox.clock.now()).await?;
                return Ok(());
            }
            left -= 1;
            match delivery.head(&group, head).await? {
                Head::Gone => {}
                Head::PutOff => return Ok(()),
                Head::Changed => break,
            }
        }
    }
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Delivery<P> {
    async fn head(&self, group: &str, head: &Versioned<Pending<Value>>) -> Result<Head, StoreError> {
        if let Some(due) = head.due.filter(|due| *due > self.outbox.clock.now()) {
            return self.outbox.put_off(group, head, due).await;
        }
        let outcome = match self.deliver(head).await {
            Ok(()) => {
                let mut tx = Tx::new();
                tx.remove(head);
                self.outbox.store.commit(tx).await.map(|_| Head::Gone)
            }
            Err(error) => self.failed(group, head, error).await,
        };
        match outcome {
            Err(StoreError::Conflict { .. }) => Ok(Head::Changed),
            outcome => outcome,
        }
    }

    async fn deliver(&self, head: &Versioned<Pending<Value>>) -> Result<(), DeliveryError> {
        let payload = serde_json::from_value(head.payload.clone()).map_err(DeliveryError::permanent)?;
        let event = Event {
            id: head.event_id.clone(),
            key: head.value.key.clone(),
            payload,
            put_at: head.put_at,
            attempt: head.failures.saturating_add(1),
        };
        limited(self.outbox.options.limit, self.to.deliver(&event)).await.map_err(DeliveryError::transient).flatten()
    }

    async fn failed(
        &self,
        group: &str,
        head: &Versioned<Pending<Value>>,
        error: DeliveryError,
    ) -> Result<Head, StoreError> {
        let (outbox, options) = (&self.outbox, &self.outbox.options);
        let (failures, now) = (head.failures.saturating_add(1), outbox.clock.now());
        let is_hopeless = matches!(error, DeliveryError::Permanent(_));
        if is_hopeless || failures >= options.attempts_max || now.since(head.since) >= options.age_max {
            outbox.bury(head, failures, brief(&error)).await?;
            return Ok(Head::Gone);
        }
        let due = now.plus(options.backoff.delay(failures, &*outbox.rng));
        let waiting = Pending { failures, due: Some(due), error: Some(brief(&error)), ..head.value.clone() };
        let mut tx = Tx::new();
        tx.replace(head, &waiting);
        tx.enqueue(&outbox.queue, group, Vec::new(), due);
        outbox.store.commit(tx).await.map(|_| Head::PutOff)
    }
}

impl<P: Serialize + DeserializeOwned + Send + Sync + 'static> Outbox<P> {
    /// Has the group looked at again when its first event is due.
    async fn put_off(&self, group: &str, head: &Versioned<Pending<Value>>, due: Timestamp) -> Result<Head, StoreError> {
        let mut tx = Tx::new();
        tx.require(head);
        tx.enqueue(&self.queue, group, Vec::new(), due);
        match self.store.commit(tx).await {
            Err(StoreError::Conflict { .. }) => Ok(Head::Changed),
            committed => committed.map(|_| Head::PutOff),
        }
    }

    /// Removes the group's message, unless an event has come. Answers whether it did.
    pub(super) async fn rest(&self, group: &str) -> Result<bool, StoreError> {
        let txn = Txn {
            guards: vec![Guard::NoneBelow(self.group_key(group))],
            then: vec![Op::Remove { queue: self.queue.clone(), id: group.to_owned() }],
            otherwise: Vec::new(),
        };
        Ok(self.store.txn(txn).await?.held)
    }
}
