//! Rolls data up as it grows old, and drops it at the end: seconds become minutes after 3 hours, minutes five minutes
//! after 15 days, five minutes hours after 63 days, and hours go after 455 days.
//!
//! Every metric has one message in a queue for as long as its record is there. The message can be received when something
//! of the metric is due; then all that is due is done, and the message is put off to what comes next. Each step moves one
//! chunk in one transaction, so no value is counted twice or not at all, wherever the process dies. Readers see data at the
//! resolution of its age, rolled up already or not, so nobody sees when this runs.

use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
use serde::{Deserialize, Serialize};
use store::{Entry, Guard, Key, Message, Op, Range, Scope, Store, StoreError, Tx, Txn, Versioned};

use crate::metric::chunk::Chunk;
use crate::metric::ingest::metric_key;
use crate::metric::resolution::Resolution;
use crate::metric::{Metric, chunk_key, chunk_of, data_key, slot_of};

/// The queue of metrics that something is due of.
pub const QUEUE: &str = "cloudwatch/retention";
/// For how long a metric is listed after its last data: ListMetrics knows two weeks.
pub const LISTED: Duration = Duration::from_secs(14 * 86_400);
/// How many metrics are taken at once.
const BATCH: usize = 32;
/// How long a metric is held before somebody else may take it.
const HOLD: Duration = Duration::from_secs(120);
/// When a metric is looked at again whose data is damaged.
const PAUSE: Duration = Duration::from_secs(86_400);
/// How much longer than necessary data may lie unrolled, so that several windows are done at once. Nobody sees it.
const SLACK_S: i64 = 1800;
/// How many chunks of a metric one pass reads.
const CHUNKS: usize = 128;

/// Whose turn it is.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {
    account: AccountId,
    region: Region,
    namespace: String,
    series: String,
}

/// Leaves the message of a metric, or moves it ahead for one that has begun to bring seconds.
pub(crate) fn schedule(tx: &mut Tx, scope: &Scope, id: [&str; 2], now: Timestamp, is_high_resolution: bool) {
    let (Some(account), Some(region)) = (scope.account(), scope.region().cloned()) else { return };
    let finest = if is_high_resolution { Resolution::Second } else { Resolution::Minute };
    let [namespace, series] = id.map(str::to_owned);
    let message_id = format!("{account}/{region}/{series}");
    let body = serde_json::to_vec(&Turn { account, region, namespace, series }).expect("four texts always serialize");
    tx.enqueue(QUEUE, message_id, body, after(now, finest.retention_s() + SLACK_S));
}

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_secs(at.as_secs() + seconds)
}

/// Keeps data as long as CloudWatch does.
#[derive(Debug)]
pub struct Retention {
    platform: Platform,
}

impl Retention {
    /// Over the metrics of a platform.
    pub fn new(platform: Platform) -> Self {
        Self { platform }
    }

    async fn pass(&self) -> Result<Round, StoreError> {
        let store = &self.platform.store;
        let mut done = 0;
        loop {
            let messages = store.receive(QUEUE, BATCH, HOLD).await?;
            if messages.is_empty() {
                break;
            }
            for message in &messages {
                match age(store, message, self.platform.clock.now()).await {
                    Ok(moved) => done += moved,
                    // Somebody wrote to the metric meanwhile: the message comes back.
                    Err(error) if error.is_conflict() => {}
                    Err(StoreError::ReceiptLost { .. }) => {}
                    // One metric's damaged data must not stop the others from ageing.
                    Err(error @ StoreError::Record { .. }) => {
                        tracing::error!(id = %message.id, %error, "metric data cannot be rolled up");
                        store.extend(message, self.platform.clock.now().plus(PAUSE)).await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let due = store.count(QUEUE).await?.next_visible_at;
        Ok(Round::did(done, format!("{done} chunks rolled up or dropped")).due(due))
    }
}

impl Reconciler for Retention {
    fn name(&self) -> &str {
        "cloudwatch/retention"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Queue(QUEUE.to_owned())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async { self.pass().await.map_err(Cause::from) })
    }
}

/// Does what is due of a metric, and puts its message off to what comes next. Answers how many chunks were moved.
async fn age(store: &Store, message: &Message, now: Timestamp) -> Result<u64, StoreError> {
    let Ok(turn) = serde_json::from_slice::<Turn>(&message.body) else {
        tracing::error!(id = %message.id, "a message in {QUEUE} cannot be read and is dropped");
        store.ack(message).await?;
        return Ok(0);
    };
    let scope = Scope::new(turn.account, turn.region.clone());
    let series = data_key(&scope).child(&turn.series);
    let mut moved = 0;
    let mut next: Option<i64> = None;
    for resolution in Resolution::ALL {
        let below = series.child(resolution.name());
        'windows: loop {
            let page = store.range(Range::prefix(&below).limit(CHUNKS)).await?;
            for entry in &page.entries {
                let Some((_, window_s)) = chunk_of(&entry.key) else {
                    let reason = "its key names no window".to_owned();
                    return Err(StoreError::Record { key: entry.key.clone(), reason });
                };
                let due_s = window_s + resolution.window_s() + resolution.retention_s();
                if due_s > now.as_secs() {
                    next = Some(next.map_or(due_s, |next| next.min(due_s)));
                    break 'windows;
                }
                roll_up(store, &series, entry, (resolution, window_s)).await?;
                moved += 1;
            }
            if !page.more && page.entries.len() < CHUNKS {
                break;
            }
        }
    }
    match next {
        Some(due_s) => store.extend(message, Timestamp::from_secs(due_s + SLACK_S)).await?,
        None => retire(store, message, &scope, &turn, now).await?,
    }
    Ok(moved)
}

/// Moves a chunk to the next resolution, or drops it.
async fn roll_up(store: &Store, series: &Key, entry: &Entry, place: (Resolution, i64)) -> Result<(), StoreError> {
    let (resolution, window_s) = place;
    let mut txn = Txn { guards: vec![Guard::Modified(entry.key.clone(), entry.modified)], ..Txn::default() };
    txn.then.push(Op::Delete { key: entry.key.clone() });
    if let Some(coarser) = resolution.coarser() {
        match Chunk::decode(&entry.value) {
            Ok(chunk) => add_to_coarser(store, &mut txn, series, &chunk, (resolution, coarser, window_s)).await?,
            // It has been unreadable for as long as it was kept; keeping it would stop the metric's ageing for ever.
            Err(error) => tracing::error!(key = %entry.key, %error, "old metric data is dropped"),
        }
    }
    let outcome = store.txn(txn).await?;
    outcome.failed.map_or(Ok(()), |key| Err(StoreError::Conflict { key }))
}

/// The coarser window has the whole of the finer one.
async fn add_to_coarser(
    store: &Store,
    txn: &mut Txn,
    series: &Key,
    chunk: &Chunk,
    (resolution, coarser, window_s): (Resolution, Resolution, i64),
) -> Result<(), StoreError> {
    let key = chunk_key(series, coarser, coarser.window_of(window_s));
    let found = store.get(&key).await?;
    let mut sum = match &found {
        Some(entry) => Chunk::decode(&entry.value)
            .map_err(|error| StoreError::Record { key: key.clone(), reason: error.to_string() })?,
        None => Chunk::default(),
    };
    add_all(&mut sum, chunk, (resolution, coarser, window_s));
    txn.guards.push(match found {
        Some(entry) => Guard::Modified(key.clone(), entry.modified),
        None => Guard::Absent(key.clone()),
    });
    txn.then.push(Op::Put { key, value: sum.encode(), lease: None });
    Ok(())
}

fn add_all(sum: &mut Chunk, chunk: &Chunk, (resolution, coarser, window_s): (Resolution, Resolution, i64)) {
    for (slot, unit, aggregate) in chunk.iter() {
        let at_s = window_s + i64::from(slot) * resolution.seconds();
        sum.add(slot_of(coarser, at_s), unit, aggregate);
    }
}

/// A metric without data: forgotten, once it is listed no longer.
async fn retire(
    store: &Store,
    message: &Message,
    scope: &Scope,
    turn: &Turn,
    now: Timestamp,
) -> Result<(), StoreError> {
    let found: Option<Versioned<Metric>> = store.read(scope, &[&turn.namespace, &turn.series]).await?;
    let listed_until = found.as_ref().map(|metric| metric.last_seen.plus(LISTED));
    if let Some(until) = listed_until.filter(|until| *until > now) {
        return store.extend(message, after(until, SLACK_S)).await;
    }
    let mut tx = Tx::new();
    tx.ack(message);
    if let Some(metric) = &found {
        // Whoever adds a chunk demands that the record is there; here nothing may have been added.
        tx.remove(metric);
        tx.guard(Guard::NoneBelow(data_key(scope).child(&turn.series)));
    } else {
        tx.guard(Guard::Absent(metric_key(scope, &turn.namespace, &turn.series)));
    }
    store.commit(tx).await.map(drop)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metric::aggregate::Aggregate;
    use crate::metric::unit::Unit;

    proptest! {
        #[test]
        fn rolling_up_loses_and_adds_nothing(
            slots in prop::collection::vec((0u16..60, 0u8..3, 0u32..1000, 1u32..9), 1..80), hour in 0i64..5
        ) {
            let window_s = Resolution::Minute.window_s() * hour;
            let mut chunk = Chunk::default();
            for (slot, unit, value, count) in &slots {
                let unit = Unit::numbered(*unit).unwrap();
                chunk.add(*slot, unit, &Aggregate::of(f64::from(*value), f64::from(*count)));
            }
            let mut sum = Chunk::default();
            add_all(&mut sum, &chunk, (Resolution::Minute, Resolution::FiveMinutes, window_s));
            for unit in 0..3 {
                let unit = Unit::numbered(unit).unwrap();
                let total = |chunk: &Chunk| {
                    chunk.iter().filter(|(_, own, _)| *own == unit).fold((0.0, 0.0, f64::MAX, f64::MIN), |all, (_, _, it)| {
                        (all.0 + it.count, all.1 + it.sum, f64::min(all.2, it.min), f64::max(all.3, it.max))
                    })
                };
                prop_assert_eq!(total(&chunk), total(&sum));
            }
            for (slot, _, _) in sum.iter() {
                let at_s = i64::from(slot) * 300;
                prop_assert!((window_s..window_s + 3600).contains(&at_s));
            }
        }
    }
}
