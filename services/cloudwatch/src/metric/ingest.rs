//! What comes in, on its way to the disk.
//!
//! Calls that come in while others are being written wait together and are written together: what they add to one chunk
//! is merged in memory, so a metric that many clients write to is read and written once a round, not once a call. A call
//! is answered when all that it brought is on disk. Whoever else writes to the same store (another replica) is met by the
//! transactions' guards, and the round reads again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use store::{Guard, HistoryPolicy, Key, Op, Scope, Store, StoreError, Tx, Txn, Versioned};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

use super::aggregate::Aggregate;
use super::chunk::Chunk;
use super::resolution::Resolution;
use super::unit::Unit;
use super::{Metric, MetricId, chunk_key, data_key, slot_of};
use crate::arrivals::Arrivals;
use crate::reconcile::retention;

/// How exactly it is known when a metric was last written to: its record is not rewritten for less.
pub const SEEN_GRANULARITY: Duration = Duration::from_secs(600);
/// How many values may wait to be written; calls that bring more wait before they are let in.
const WAITING_MAX: u32 = 200_000;
/// How many records or chunks one transaction writes: each has up to two guards and two operations of the store's 128.
const BATCH: usize = 60;
/// How many bytes of chunks one transaction writes; half of the store's limit.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// How many transactions are under way at once; the store writes them to disk together.
const BATCHES_AT_ONCE: usize = 16;
/// How often a transaction is built anew because somebody else was faster.
const ATTEMPTS_MAX: u32 = 64;
/// How many metrics are remembered as known.
const KNOWN_MAX: usize = 100_000;

/// Some values of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Of which metric.
    pub metric: MetricId,
    /// When they were.
    pub at: Timestamp,
    /// In slots of which length they are kept: seconds or minutes.
    pub resolution: Resolution,
    /// Their unit.
    pub unit: Unit,
    /// What they were.
    pub values: Aggregate,
}

/// Writes samples to the store.
#[derive(Debug)]
pub struct Ingest {
    store: Store,
    arrivals: Arc<Arrivals>,
    room: Semaphore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Waiting>,
    is_busy: bool,
    /// Metrics whose record is there, by its key, and what it says.
    known: HashMap<Key, Known>,
    /// Scopes whose chunks are known to have no history.
    scopes: BTreeSet<Scope>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    last_seen: Timestamp,
    is_high_resolution: bool,
}

#[derive(Debug)]
struct Waiting {
    scope: Scope,
    now: Timestamp,
    samples: Vec<Sample>,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// What one round writes.
#[derive(Debug, Default)]
struct Round {
    /// By the key of the metric's record.
    metrics: BTreeMap<Key, Touched>,
    /// By the chunk's key.
    chunks: BTreeMap<Key, Addition>,
}

/// A metric that a round writes to.
#[derive(Debug, Clone)]
struct Touched {
    scope: Scope,
    id: MetricId,
    now: Timestamp,
    is_high_resolution: bool,
    earliest_s: i64,
}

/// What is added to a chunk.
#[derive(Debug, Clone)]
struct Addition {
    metric: Key,
    chunk: Chunk,
    /// Which of the calls brought it.
    callers: BTreeSet<usize>,
}

impl Ingest {
    /// Writes to `store` and tells `arrivals`.
    pub fn new(store: Store, arrivals: Arc<Arrivals>) -> Self {
        Self { store, arrivals, room: Semaphore::new(WAITING_MAX as usize), state: Mutex::default() }
    }

    /// Adds samples. When this returns they are on disk.
    ///
    /// # Errors
    /// What the store answers. Some of the samples may have been written then.
    pub async fn put(self: &Arc<Self>, scope: Scope, now: Timestamp, samples: Vec<Sample>) -> Result<(), StoreError> {
        if samples.is_empty() {
            return Ok(());
        }
        let share = u32::try_from(samples.len()).unwrap_or(WAITING_MAX).min(WAITING_MAX);
        let _room = self.room.acquire_many(share).await.map_err(|_| StoreError::Closed)?;
        let (done, answer) = oneshot::channel();
        let is_first = {
            let mut state = self.state();
            state.waiting.push(Waiting { scope, now, samples, done });
            !std::mem::replace(&mut state.is_busy, true)
        };
        if is_first {
            // A task of its own: a client that goes away does not take the others' data along.
            tokio::spawn(Arc::clone(self).write_waiting());
        }
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_waiting(self: Arc<Self>) {
        let _busy = Busy(&self);
        loop {
            let waiting = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    state.is_busy = false;
                    return;
                }
                std::mem::take(&mut state.waiting)
            };
            self.write(waiting).await;
        }
    }

    async fn write(self: &Arc<Self>, waiting: Vec<Waiting>) {
        let mut round = Round::default();
        let mut answers = Vec::with_capacity(waiting.len());
        for (caller, call) in waiting.into_iter().enumerate() {
            round.add(caller, &call.scope, call.now, &call.samples);
            answers.push((call.done, Ok(())));
        }
        let Round { metrics, chunks } = round;
        let metrics = Arc::new(metrics);
        let mut failed = Vec::new();
        if let Err(error) = self.prepare(&metrics).await {
            answers.iter_mut().for_each(|(_, answer)| *answer = Err(error.clone()));
        } else {
            failed = self.write_chunks(&metrics, chunks).await;
            self.tell(&metrics);
        }
        for (callers, error) in failed {
            callers.into_iter().for_each(|caller| answers[caller].1 = Err(error.clone()));
        }
        for (done, answer) in answers {
            // Who has gone needs no answer.
            let _ = done.send(answer);
        }
    }

    /// Sees to it that chunks have no history, and that every metric has its record.
    async fn prepare(self: &Arc<Self>, metrics: &Arc<BTreeMap<Key, Touched>>) -> Result<(), StoreError> {
        let scopes: BTreeSet<Scope> = metrics.values().map(|it| it.scope.clone()).collect();
        for scope in scopes {
            if !self.state().scopes.contains(&scope) {
                let none = HistoryPolicy { keep: Duration::ZERO, events_max: 0 };
                self.store.set_history(&data_key(&scope), none).await?;
                self.state().scopes.insert(scope);
            }
        }
        let unknown: Vec<Key> = {
            let state = self.state();
            let is_news =
                |(key, it): &(&Key, &Touched)| state.known.get(*key).is_none_or(|known| it.is_news_to(*known));
            metrics.iter().filter(is_news).map(|(key, _)| key.clone()).collect()
        };
        let work = unknown.chunks(BATCH).map(|some| {
            let (ingest, metrics, some) = (Arc::clone(self), Arc::clone(metrics), some.to_vec());
            async move { ingest.record(&metrics, &some).await }
        });
        let outcomes = together(work).await;
        outcomes.into_iter().try_for_each(|outcome| outcome.unwrap_or(Err(StoreError::Closed)))
    }

    /// Writes or refreshes the records of some of the metrics.
    async fn record(&self, metrics: &BTreeMap<Key, Touched>, some: &[Key]) -> Result<(), StoreError> {
        for attempt in 1.. {
            let mut tx = Tx::new();
            let mut known = Vec::new();
            let named: Vec<(&Key, &Touched, String)> = some
                .iter()
                .filter_map(|key| metrics.get_key_value(key))
                .map(|(key, touched)| (key, touched, touched.id.series()))
                .collect();
            // Keys begin with their scope, so those of one lie together.
            for of_scope in named.chunk_by(|(_, a, _), (_, b, _)| a.scope == b.scope) {
                let ids: Vec<[&str; 2]> =
                    of_scope.iter().map(|(_, it, series)| [it.id.namespace(), &series[..]]).collect();
                let all: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
                let found = self.store.read_many::<Metric>(&of_scope[0].1.scope, &all).await?;
                for (((key, touched, _), id), found) in of_scope.iter().zip(ids).zip(found) {
                    known.push(((*key).clone(), touched.write(&mut tx, found.as_ref(), id)));
                }
            }
            let outcome = if tx.is_empty() { Ok(()) } else { self.store.commit(tx).await.map(drop) };
            match outcome {
                Ok(()) => {
                    let mut state = self.state();
                    if state.known.len() + known.len() > KNOWN_MAX {
                        state.known.clear();
                    }
                    state.known.extend(known);
                    return Ok(());
                }
                Err(error) if error.is_conflict() && attempt < ATTEMPTS_MAX => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes all chunks, and answers who is hit by what went wrong.
    async fn write_chunks(
        self: &Arc<Self>,
        metrics: &Arc<BTreeMap<Key, Touched>>,
        chunks: BTreeMap<Key, Addition>,
    ) -> Vec<(BTreeSet<usize>, StoreError)> {
        let everybody: BTreeSet<usize> = chunks.values().flat_map(|it| it.callers.iter().copied()).collect();
        let mut rest = chunks.into_iter().peekable();
        let batches = std::iter::from_fn(move || {
            rest.peek()?;
            Some(rest.by_ref().take(BATCH).collect::<Vec<(Key, Addition)>>())
        });
        let work = batches.map(|batch| {
            let (ingest, metrics) = (Arc::clone(self), Arc::clone(metrics));
            async move {
                let callers = batch.iter().flat_map(|(_, addition)| addition.callers.iter().copied()).collect();
                (callers, ingest.write_batch(&metrics, &batch).await)
            }
        });
        let outcomes = together(work).await.into_iter().filter_map(|outcome| match outcome {
            Some((callers, outcome)) => outcome.err().map(|error| (callers, error)),
            // Nobody may take for written what was not, so everybody is told.
            None => Some((everybody.clone(), StoreError::Closed)),
        });
        outcomes.collect()
    }

    /// Adds to some chunks, in as many transactions as their size asks for.
    async fn write_batch(&self, metrics: &BTreeMap<Key, Touched>, batch: &[(Key, Addition)]) -> Result<(), StoreError> {
        let mut rest = batch;
        let mut attempt = 1;
        while !rest.is_empty() {
            let (txn, taken) = self.additions(rest).await?;
            if self.store.txn(txn).await?.held {
                rest = &rest[taken..];
                attempt = 1;
                continue;
            }
            let key = rest[0].0.clone();
            if attempt == ATTEMPTS_MAX {
                return Err(StoreError::Conflict { key });
            }
            attempt += 1;
            // The metric's record may have been removed since it was seen.
            let touched: BTreeSet<Key> = rest.iter().map(|(_, it)| it.metric.clone()).collect();
            self.record(metrics, &touched.into_iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// The transaction that adds to the first of these chunks, and how many those are.
    async fn additions(&self, batch: &[(Key, Addition)]) -> Result<(Txn, usize), StoreError> {
        let found = self.store.get_many(batch.iter().map(|(key, _)| key.clone()).collect()).await?;
        let mut txn = Txn::default();
        let (mut bytes, mut taken) = (0, 0);
        for ((key, addition), found) in batch.iter().zip(found) {
            let value = match &found {
                Some(entry) => {
                    // What cannot be read is lost; it must not stop what comes in.
                    let mut chunk = Chunk::decode(&entry.value).unwrap_or_else(|error| {
                        tracing::error!(%key, %error, "metric data is replaced");
                        Chunk::default()
                    });
                    chunk.merge(&addition.chunk);
                    chunk.encode()
                }
                None => addition.chunk.encode(),
            };
            bytes += value.len();
            if taken > 0 && bytes > BATCH_BYTES_MAX {
                break;
            }
            match found {
                Some(entry) => txn.guards.push(Guard::Modified(key.clone(), entry.modified)),
                None => {
                    txn.guards.push(Guard::Absent(key.clone()));
                    let exists = Guard::Exists(addition.metric.clone());
                    if !txn.guards.contains(&exists) {
                        txn.guards.push(exists);
                    }
                }
            }
            txn.then.push(Op::Put { key: key.clone(), value, lease: None });
            taken += 1;
        }
        Ok((txn, taken))
    }

    fn tell(&self, metrics: &BTreeMap<Key, Touched>) {
        self.arrivals.tell(metrics.iter().map(|(key, touched)| (key, touched.earliest_s)));
    }
}

/// Does all of it, some at a time; none for what has panicked.
async fn together<F>(mut work: impl Iterator<Item = F>) -> Vec<Option<F::Output>>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let (mut under_way, mut outcomes) = (JoinSet::new(), Vec::new());
    loop {
        while under_way.len() < BATCHES_AT_ONCE
            && let Some(one) = work.next()
        {
            under_way.spawn(one);
        }
        match under_way.join_next().await {
            Some(outcome) => outcomes.push(outcome.ok()),
            None => return outcomes,
        }
    }
}

/// Whoever waits is told, even if the writer panics: dropping their channels answers them.
struct Busy<'a>(&'a Ingest);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.state();
            state.is_busy = false;
            state.waiting.clear();
        }
    }
}

impl Round {
    fn add(&mut self, caller: usize, scope: &Scope, now: Timestamp, samples: &[Sample]) {
        let mut keys: HashMap<&MetricId, (Key, Key)> = HashMap::new();
        for sample in samples {
            let at_s = sample.at.as_secs();
            let (metric, series) = keys.entry(&sample.metric).or_insert_with(|| places(scope, &sample.metric));
            let is_high_resolution = sample.resolution == Resolution::Second;
            let touched = self.metrics.entry(metric.clone()).or_insert_with(|| Touched {
                scope: scope.clone(),
                id: sample.metric.clone(),
                now,
                is_high_resolution,
                earliest_s: at_s,
            });
            touched.is_high_resolution |= is_high_resolution;
            touched.earliest_s = touched.earliest_s.min(at_s);
            touched.now = touched.now.max(now);
            let key = chunk_key(series, sample.resolution, sample.resolution.window_of(at_s));
            let addition = self.chunks.entry(key).or_insert_with(|| Addition {
                metric: metric.clone(),
                chunk: Chunk::default(),
                callers: BTreeSet::new(),
            });
            addition.chunk.add(slot_of(sample.resolution, at_s), sample.unit, &sample.values);
            addition.callers.insert(caller);
        }
    }
}

/// Where a metric's record and its chunks lie.
fn places(scope: &Scope, metric: &MetricId) -> (Key, Key) {
    let series = metric.series();
    (metric_key(scope, metric.namespace(), &series), data_key(scope).child(&series))
}

/// Where a metric's record lies.
pub(crate) fn metric_key(scope: &Scope, namespace: &str, series: &str) -> Key {
    use store::Record as _;
    scope.key().join([Metric::SERVICE, Metric::KIND, namespace, series])
}

impl Touched {
    fn is_news_to(&self, known: Known) -> bool {
        self.now.since(known.last_seen) >= SEEN_GRANULARITY || (self.is_high_resolution && !known.is_high_resolution)
    }

    /// Adds to the transaction what the record lacks, and tells what it says then.
    fn write(&self, tx: &mut Tx, found: Option<&Versioned<Metric>>, id: [&str; 2]) -> Known {
        let before = found.map(|it| Known { last_seen: it.last_seen, is_high_resolution: it.is_high_resolution });
        if let Some(before) = before.filter(|before| !self.is_news_to(*before)) {
            return before;
        }
        let was_high_resolution = before.is_some_and(|it| it.is_high_resolution);
        let last_seen = before.map_or(self.now, |it| it.last_seen.max(self.now));
        let is_high_resolution = was_high_resolution || self.is_high_resolution;
        let metric = Metric { id: self.id.clone(), last_seen, is_high_resolution };
        match found {
            Some(found) => tx.replace(found, &metric),
            None => tx.insert(&self.scope, &id, &metric),
        };
        if before.is_none() || is_high_resolution != was_high_resolution {
            retention::schedule(tx, &self.scope, id, self.now, is_high_resolution);
        }
        Known { last_seen, is_high_resolution }
    }
}
