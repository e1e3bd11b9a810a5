//! Has what functions need made ready to run, and says in their records what has come of it.
//!
//! Whoever creates, changes or publishes puts a message into a queue, in the same transaction. What the message says is only
//! which version is to be looked at: what that is is read when its turn comes. So a kill loses nothing, and a change that comes
//! while something is made ready is looked at again.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{Attempts, Backoff, BoxFuture, Cause, Reconciler, Round, Wake};
use serde::{Deserialize, Serialize};
use store::{Message, QueueCount, StoreError, Tx};
use tokio::task::JoinSet;

use crate::executor::{Callee, NotPrepared};
use crate::function::{Condition, Failure, Found, Function, Version, resolve};
use crate::names::{FunctionName, LATEST, Target};
use crate::{Error, Lambda};

/// The versions that are to be looked at.
const QUEUE: &str = "lambda/settling";
/// How many are made ready at a time.
const AT_ONCE_MAX: usize = 16;
/// How long one may take: an image of ten gigabytes from a slow disk.
const ONE_LIMIT: Duration = Duration::from_secs(600);
/// How long a round takes up versions before it ends, so that somebody sees that it goes on.
const ROUND: Duration = Duration::from_secs(300);
/// How often it is tried where it may go better later.
const TRIES_MAX: u32 = 5;
/// How long it waits in between.
const RETRY: Backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) };

/// A version that may have to be made ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Unsettled {
    /// The version's ARN.
    arn: String,
    /// Which of all functions that have had the name it is.
    uid: String,
}

/// Notes that a version is to be made ready: `$LATEST`, or a number.
pub(crate) fn wanted(tx: &mut Tx, name: &FunctionName, uid: &str, version: &str) {
    let unsettled = Unsettled { arn: name.qualified(version), uid: uid.to_owned() };
    let body = serde_json::to_vec(&unsettled).expect("it has only string keys, so serde_json cannot refuse it");
    // At once, whatever the time is.
    tx.enqueue(QUEUE, format!("{uid}/{version}"), body, Timestamp::default());
}

struct Settle {
    lambda: Lambda,
}

impl Reconciler for Settle {
    fn name(&self) -> &str {
        "lambda/settling"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn limit(&self) -> Duration {
        ROUND + 2 * ONE_LIMIT
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let done = self.take_up().await?;
            let QueueCount { visible, next_visible_at, .. } = self.lambda.platform.store.count(QUEUE).await?;
            let now = self.lambda.platform.clock.now();
            let due = if visible > 0 { Some(now) } else { next_visible_at };
            Ok(Round::did(done, format!("made {done} versions of functions ready")).due(due))
        })
    }
}

impl Settle {
    /// Takes up versions, a few at a time and new ones while others take long, until there is none left or the round has
    /// lasted. Answers how many are done with.
    async fn take_up(&self) -> Result<u64, Error> {
        let platform = &self.lambda.platform;
        let end = platform.clock.now().plus(ROUND);
        let mut signal = platform.store.queue_signal(QUEUE);
        let (mut working, mut done) = (JoinSet::new(), 0);
        loop {
            let places = if platform.clock.now() < end { AT_ONCE_MAX - working.len() } else { 0 };
            if places > 0 {
                for message in platform.store.receive(QUEUE, places, 2 * ONE_LIMIT).await? {
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
                        Ok(Err(error)) => tracing::warn!(%error, "a function could not be made ready"),
                        // A task that panicked has been told of; its message comes again, too.
                        Err(_) => {}
                    }
                }
                changed = signal.changed(), if places > working.len() => changed?,
            }
        }
    }
}

/// Does what a message is about. Answers whether that is done with.
async fn work(lambda: &Lambda, message: &Message) -> Result<bool, Error> {
    let platform = &lambda.platform;
    let Some((target, found)) = look(lambda, &message.body).await? else {
        return acked(platform.store.ack(message).await);
    };
    let outcome = prepare(lambda, &target, &found).await;
    if let Err(NotPrepared { is_passing: true, reason, .. }) = &outcome
        && message.received < TRIES_MAX
    {
        tracing::info!(function = target.arn(), reason, "a function is not ready yet; it is tried again");
        let wait = RETRY.delay(message.received, &*platform.rng);
        acked(platform.store.extend(message, platform.clock.now().plus(wait)).await)?;
        return Ok(false);
    }
    let outcome = outcome.map_err(|refused| Failure { code: refused.code, reason: refused.reason });
    write(lambda, message, found, &outcome).await?;
    Ok(true)
}

/// Whoever has changed the version meanwhile has put the message anew.
fn acked(outcome: Result<(), StoreError>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(StoreError::ReceiptLost { .. } | StoreError::Conflict { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The version that a message is about, if it is there and not settled.
async fn look(lambda: &Lambda, body: &[u8]) -> Result<Option<(Target, Found)>, Error> {
    let Ok(unsettled) = serde_json::from_slice::<Unsettled>(body) else { return Ok(None) };
    let Some(target) = Target::of_arn(&unsettled.arn) else { return Ok(None) };
    let found = match resolve(lambda, &target).await {
        Ok(found) => found,
        Err(Error::FunctionNotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let is_settling = match &found.version {
        Some(version) => version.condition == Condition::Pending,
        None => found.function.is_settling(),
    };
    Ok((is_settling && found.function.uid == unsettled.uid).then_some((target, found)))
}

async fn prepare(lambda: &Lambda, target: &Target, found: &Found) -> Result<(), NotPrepared> {
    let callee = Callee {
        // What it is to be, not what is called still.
        configuration: match &found.version {
            Some(version) => version.configuration.clone(),
            None => found.function.latest.clone(),
        },
        ..found.callee(target)
    };
    match tokio::time::timeout(ONE_LIMIT, lambda.neighbours.executor.prepare(&callee)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(NotPrepared {
            code: "InternalError".to_owned(),
            reason: format!("it was not made ready within {} s", ONE_LIMIT.as_secs()),
            is_passing: true,
        }),
    }
}

/// Says what has come of it. Settings may change beside, so that only what was made ready must be what it was.
async fn write(lambda: &Lambda, message: &Message, found: Found, outcome: &Result<(), Failure>) -> Result<(), Error> {
    let store = &lambda.platform.store;
    let (mut attempts, mut found) = (Attempts::new(), found);
    loop {
        let mut tx = Tx::new();
        tx.ack(message);
        match &found.version {
            Some(version) => {
                let condition = Condition::after(outcome.clone());
                tx.replace(version, &Version { condition, ..version.value.clone() });
            }
            None => {
                let mut now: Function = found.function.value.clone();
                now.settle(outcome.clone());
                tx.replace(&found.function, &now);
            }
        }
        let written = store.commit(tx).await.map(drop).map_err(Error::from);
        if !attempts.again(&written) {
            return written;
        }
        match look(lambda, &message.body).await? {
            Some((_, now)) if is_same(&now, &found) => found = now,
            // It is another by now, and lies in the queue again.
            _ => return Ok(()),
        }
    }
}

fn is_same(now: &Found, before: &Found) -> bool {
    let of = |found: &Found| match &found.version {
        Some(version) => (version.number.to_string(), version.configuration.clone()),
        None => (LATEST.to_owned(), found.function.latest.clone()),
    };
    of(now) == of(before)
}

/// The reconciler, to be started once.
pub fn reconciler(lambda: &Lambda) -> Arc<dyn Reconciler> {
    Arc::new(Settle { lambda: lambda.clone() })
}
