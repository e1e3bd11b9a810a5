//! Calls functions with the events that wait for them.
//!
//! An event is in its queue until its function has answered. Whoever takes it up holds it for a little longer than a function
//! may run, so that a kill brings it back: each event is delivered at least once.

use std::sync::Arc;
use std::time::Duration;

use platform::{Backoff, BoxFuture, Cause, Reconciler, Round, Wake};
use store::{Guard, Message, QueueCount, StoreError, Tx};
use tokio::task::JoinSet;

use crate::event::{Event, QUEUE};
use crate::executor::{Answered, Invocation, Refused};
use crate::function::{Condition, Found, resolve};
use crate::invoke::drawn;
use crate::limits::TIMEOUT_S_MAX;
use crate::{Error, Lambda};

/// How many events are delivered at a time.
const AT_ONCE_MAX: usize = 256;
/// How long one is held: longer than a function may run, with the time that its environment takes.
const HOLD: Duration = Duration::from_secs(TIMEOUT_S_MAX as u64 + 300);
/// How long a round takes up events before it ends, so that somebody sees that it goes on.
const ROUND: Duration = Duration::from_secs(300);
/// How long an event waits whose function cannot be called. (Developer guide: "from 1 second after the first attempt to a
/// maximum of 5 minutes".)
const REFUSED: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };

struct Deliver {
    lambda: Lambda,
}

impl Reconciler for Deliver {
    fn name(&self) -> &str {
        "lambda/events"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn limit(&self) -> Duration {
        ROUND + 2 * HOLD
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let done = self.take_up().await?;
            let QueueCount { visible, next_visible_at, .. } = self.lambda.platform.store.count(QUEUE).await?;
            let now = self.lambda.platform.clock.now();
            let due = if visible > 0 { Some(now) } else { next_visible_at };
            Ok(Round::did(done, format!("delivered {done} events")).due(due))
        })
    }
}

impl Deliver {
    /// Takes up events, until there is none left or the round has lasted. Answers how many are done with.
    async fn take_up(&self) -> Result<u64, Error> {
        let platform = &self.lambda.platform;
        let end = platform.clock.now().plus(ROUND);
        let mut signal = platform.store.queue_signal(QUEUE);
        let (mut working, mut done) = (JoinSet::new(), 0);
        loop {
            let places = if platform.clock.now() < end { AT_ONCE_MAX - working.len() } else { 0 };
            if places > 0 {
                let max = places.min(store::limits::RECEIVE_MAX);
                for message in platform.store.receive(QUEUE, max, HOLD).await? {
                    let lambda = self.lambda.clone();
                    working.spawn(async move { work(&lambda, &message).await });
                }
            }
            if working.is_empty() {
                return Ok(done);
            }
            tokio::select! {
                Some(one) = working.join_next() => {
                    match one {
                        Ok(Ok(is_done)) => done += u64::from(is_done),
                        // The others go on; this one comes again when nobody holds it any more.
                        Ok(Err(error)) => tracing::warn!(%error, "an event could not be delivered"),
                        // A task that panicked has been told of; its event comes again, too.
                        Err(_) => {}
                    }
                }
                changed = signal.changed(), if places > working.len() => changed?,
            }
        }
    }
}

/// Delivers one event. Answers whether it is done with.
async fn work(lambda: &Lambda, message: &Message) -> Result<bool, Error> {
    let store = &lambda.platform.store;
    let Some((event, inline)) = Event::read(message) else {
        return held(store.ack(message).await);
    };
    let Some((found, invocation)) = look(lambda, &event, inline.clone()).await? else {
        return finish(lambda, message, &event).await;
    };
    let said = found.attached().event_invoke.clone();
    let (age_s, retries) = (said.as_ref().and_then(|it| it.age_s), said.and_then(|it| it.retries));
    let now = lambda.platform.clock.now();
    if event.is_over(age_s, now) {
        tracing::warn!(function = event.function, request_id = event.request_id, "an event is given up: it is too old");
        return finish(lambda, message, &event).await;
    }
    match call(lambda, &found, invocation).await {
        Ok(Answered { function_error: None, .. }) => finish(lambda, message, &event).await,
        Ok(_) => match event.clone().failed(retries, &inline, lambda.platform.clock.now()) {
            Some((body, at)) => {
                let mut tx = Tx::new();
                let (queue, id) = (QUEUE.to_owned(), message.id.clone());
                // It takes the place of the message that is held.
                tx.guard(Guard::Held { queue, id, receipt: message.receipt }).enqueue(QUEUE, &*message.id, body, at);
                held(store.commit(tx).await.map(drop))
            }
            None => {
                tracing::warn!(
                    function = event.function,
                    request_id = event.request_id,
                    "an event is given up: it failed"
                );
                finish(lambda, message, &event).await
            }
        },
        Err(refused) if refused.is_passing() => {
            let wait = REFUSED.delay(message.received, &*lambda.platform.rng);
            held(store.extend(message, lambda.platform.clock.now().plus(wait)).await)?;
            Ok(false)
        }
        Err(refused) => {
            tracing::warn!(function = event.function, request_id = event.request_id, %refused, "an event is given up");
            finish(lambda, message, &event).await
        }
    }
}

/// What an event calls, if that is still what it called when it was sent.
async fn look(lambda: &Lambda, event: &Event, inline: bytes::Bytes) -> Result<Option<(Found, Invocation)>, Error> {
    let Some(target) = event.target() else { return Ok(None) };
    let found = match resolve(lambda, &target).await {
        Ok(found) if found.function.uid == event.uid => found,
        Ok(_) | Err(Error::FunctionNotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let found = drawn(lambda, &target, found).await?;
    let invocation = Invocation {
        callee: found.callee(&target),
        request_id: event.request_id.clone(),
        payload: event.payload(lambda, inline).await?,
        client_context: event.client_context.clone(),
        trace: None,
        wants_log_tail: false,
        since: event.sent,
    };
    Ok(Some((found, invocation)))
}

async fn call(lambda: &Lambda, found: &Found, invocation: Invocation) -> Result<Answered, Refused> {
    let condition = found.version.as_ref().map_or(&found.function.condition, |version| &version.condition);
    match condition {
        Condition::Active => lambda.neighbours.executor.invoke(invocation).await,
        other => Err(Refused::NoRoom(format!("The function is {}.", other.as_str()))),
    }
}

async fn finish(lambda: &Lambda, message: &Message, event: &Event) -> Result<bool, Error> {
    let mut tx = Tx::new();
    event.finish(&mut tx, message);
    held(lambda.platform.store.commit(tx).await.map(drop))
}

/// Whoever holds the message now does what is to be done.
fn held(outcome: Result<(), StoreError>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(StoreError::ReceiptLost { .. } | StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The reconciler, to be started once.
pub fn reconciler(lambda: &Lambda) -> Arc<dyn Reconciler> {
    Arc::new(Deliver { lambda: lambda.clone() })
}
