//! Running queries.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use base::{AccountId, Timestamp};
use segments::{Cursor, Direction, EventId, GroupKey, Scan, Segments};
use store::{Scope, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rows::{Rows, RowsCache};
use super::{CONCURRENT_MAX, Pointer, Query, ROWS_BYTES_MAX, RUN_BYTES_MAX, RUN_MAX, Scanned};
use crate::api::QueryStatus;
use crate::insights::{Execution, ExecutionError, Field, Options, Query as Compiled, Record};
use crate::{Error, Logs};

/// How many queries run at a time; the others wait, Scheduled.
const AT_ONCE_MAX: usize = 2;
/// How many of them are one account's: a place is left to others, who so wait for one query, not for a hundred.
const OF_ACCOUNT_AT_ONCE_MAX: usize = 1;
/// How many events are looked at before it is asked whether to go on: a piece takes some tenths of a second.
const PIECE_EVENTS: u64 = 100_000;
/// How many bytes of messages are looked at before it is asked whether to go on.
const PIECE_BYTES: u64 = 32 * 1024 * 1024;
/// How long events are looked at before it is asked whether to go on: what a query does with one can take long.
const PIECE_MAX: Duration = Duration::from_millis(500);
/// After how many events it is looked whether older ones still matter.
const HORIZON_EVENTS: u64 = 256;

/// Whose query, and which.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryKey {
    /// The account and region that started it.
    pub(crate) scope: Scope,
    /// Its id.
    pub(crate) id: String,
}

/// The queries of this process: those that run or wait, and the rows of those that have ended.
#[derive(Debug)]
pub(crate) struct Queries {
    open: Mutex<BTreeMap<QueryKey, Arc<Run>>>,
    rows: Mutex<RowsCache>,
    places: Arc<Semaphore>,
    /// The places of each account that has a query.
    of_accounts: Mutex<BTreeMap<AccountId, Weak<Semaphore>>>,
}

impl Default for Queries {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        Self { open: Mutex::default(), rows: Mutex::default(), places, of_accounts: Mutex::default() }
    }
}

/// A query that runs, or waits for its turn.
#[derive(Debug, Default)]
struct Run {
    is_running: AtomicBool,
    is_cancelled: AtomicBool,
    scanned: Mutex<Scanned>,
}

/// A place to run in, given back when it is dropped.
type Place = (Option<OwnedSemaphorePermit>, Option<OwnedSemaphorePermit>);

/// How a run has ended.
enum Outcome {
    Complete(Vec<Vec<Field>>),
    Failed,
    Cancelled,
    Timeout,
    /// The process stops: the next one runs it again.
    Interrupted,
}

impl Queries {
    /// The state of a query that has not ended, and what it has looked at so far.
    pub(crate) fn progress(&self, key: &QueryKey) -> Option<(QueryStatus, Scanned)> {
        let run = lock(&self.open).get(key).cloned()?;
        let is_running = run.is_running.load(Ordering::Relaxed);
        let scanned = *lock(&run.scanned);
        Some((if is_running { QueryStatus::Running } else { QueryStatus::Scheduled }, scanned))
    }

    /// The rows of a query that has ended, if they are still there.
    pub(crate) fn rows(&self, key: &QueryKey) -> Option<Rows> {
        lock(&self.rows).get(key)
    }

    /// Whether an account and region may start one more.
    ///
    /// # Errors
    /// [`Error::QueriesMax`]
    pub(crate) fn check_room(&self, scope: &Scope) -> Result<(), Error> {
        let count = lock(&self.open).keys().filter(|key| key.scope == *scope).count();
        if count < CONCURRENT_MAX { Ok(()) } else { Err(Error::QueriesMax(CONCURRENT_MAX)) }
    }

    /// Waits for a place to run in: first for one of the account's own, so that of each account one query waits for those
    /// that all share.
    async fn place(&self, account: Option<AccountId>) -> Place {
        let of_account = match account {
            Some(account) => self.of_account(account).acquire_owned().await.ok(),
            None => None,
        };
        // Semaphores that are never closed.
        (of_account, self.places.clone().acquire_owned().await.ok())
    }

    fn of_account(&self, account: AccountId) -> Arc<Semaphore> {
        let mut all = lock(&self.of_accounts);
        if let Some(known) = all.get(&account).and_then(Weak::upgrade) {
            return known;
        }
        all.retain(|_, places| places.strong_count() > 0);
        let places = Arc::new(Semaphore::new(OF_ACCOUNT_AT_ONCE_MAX));
        all.insert(account, Arc::downgrade(&places));
        places
    }

    /// Tells a query to stop, if it has not ended.
    pub(crate) fn cancel(&self, key: &QueryKey) {
        if let Some(run) = lock(&self.open).get(key) {
            run.is_cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Forgets the rows of a query.
    pub(crate) fn forget(&self, key: &QueryKey) {
        lock(&self.rows).remove(key);
    }
}

impl Logs {
    /// Runs a query, when its turn has come, unless it runs already.
    pub(crate) fn run_query(&self, key: QueryKey, query: Query) {
        let run = {
            let mut open = lock(&self.queries.open);
            if open.contains_key(&key) {
                return;
            }
            let run = Arc::new(Run::default());
            open.insert(key.clone(), run.clone());
            run
        };
        let logs = self.clone();
        tokio::spawn(async move {
            let ending = Ending { logs: &logs, key: &key };
            let _place = logs.queries.place(key.scope.account()).await;
            run.is_running.store(true, Ordering::Relaxed);
            let outcome = logs.execute(&key.scope, &query, &run).await;
            if let Err(error) = logs.keep(&key, outcome, &run).await {
                tracing::error!(query = key.id, %error, "a query's end cannot be kept; it will be run again");
            }
            drop(ending);
        });
    }

    async fn execute(&self, scope: &Scope, query: &Query, run: &Run) -> Outcome {
        let started = self.platform.clock.now();
        let Ok(compiled) = Compiled::parse(&query.text) else { return Outcome::Failed };
        let options = Options {
            limit: query.limit,
            memory_bytes_max: RUN_BYTES_MAX,
            ..Options::new(query.created.as_millis(), query.start_ms, query.end_ms)
        };
        let mut execution = Execution::new(&compiled, options);
        for (index, group) in query.groups.iter().enumerate() {
            let Some(region) = scope.region() else { return Outcome::Failed };
            let Ok(key) = GroupKey::new(group.account, region, &group.storage_id) else { return Outcome::Failed };
            let mut piece = Piece::first(index, key, &group.log(), query, &compiled);
            loop {
                if run.is_cancelled.load(Ordering::Relaxed) {
                    return Outcome::Cancelled;
                }
                if self.platform.clock.now().since(started) > RUN_MAX {
                    return Outcome::Timeout;
                }
                let looked = self.blocking(move |segments| Ok(look(segments, piece, execution, PIECE_MAX)));
                let Ok(looked) = looked.await else { return Outcome::Failed };
                execution = looked.execution;
                *lock(&run.scanned) = Scanned::of(execution.statistics(), index as u64 + 1);
                match looked.next {
                    Ok(Some(next)) => piece = next,
                    Ok(None) => break,
                    Err(Failure::Segments(segments::Error::Closed)) => return Outcome::Interrupted,
                    Err(error) => {
                        tracing::info!(%error, "a query has failed");
                        return Outcome::Failed;
                    }
                }
            }
        }
        match self.blocking(move |_| Ok(execution.finish())).await {
            Ok(Ok(results)) => Outcome::Complete(self.with_pointers(scope, query, results.rows)),
            _ => Outcome::Failed,
        }
    }

    /// Gives the rows that are events the pointers that clients get.
    fn with_pointers(&self, scope: &Scope, query: &Query, mut rows: Vec<Vec<Field>>) -> Vec<Vec<Field>> {
        for field in rows.iter_mut().flatten().filter(|field| field.field == "@ptr") {
            let place = field.value.split_once('/').and_then(|(index, event)| {
                let group = query.groups.get(index.parse::<usize>().ok()?)?.clone();
                Some(Pointer { group, event: EventId::from_u128(u128::from_str_radix(event, 16).ok()?) })
            });
            if let Some(pointer) = place {
                field.value = pointer.seal(&self.platform, scope);
            }
        }
        rows
    }

    /// Keeps how a query has ended. One that has ended before, and only lacked its rows, stays as it is.
    async fn keep(&self, key: &QueryKey, outcome: Outcome, run: &Run) -> Result<(), Error> {
        let (status, rows) = match outcome {
            Outcome::Complete(rows) => (QueryStatus::Complete, Some(Arc::new(rows))),
            Outcome::Failed => (QueryStatus::Failed, None),
            Outcome::Cancelled => (QueryStatus::Cancelled, None),
            Outcome::Timeout => (QueryStatus::Timeout, None),
            Outcome::Interrupted => return Ok(()),
        };
        let count = rows.as_ref().map_or(0, |rows| rows.len());
        if let Some(rows) = rows {
            lock(&self.queries.rows).insert(key.clone(), rows, ROWS_BYTES_MAX);
        }
        let scanned = *lock(&run.scanned);
        let now = self.platform.clock.now();
        let end = |query: &mut Query| {
            if query.is_open() || (query.status == QueryStatus::Complete && status != QueryStatus::Complete) {
                (query.status, query.ended, query.statistics, query.rows) = (status, Some(now), scanned, count);
            }
            Ok::<_, Error>(())
        };
        match self.platform.store.update(&key.scope, &[&key.id], end).await {
            // It was removed meanwhile: its time was over.
            Ok(_) | Err(Error::Store(StoreError::NotFound { .. })) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Takes a query off the list of those that run, however its task ends.
struct Ending<'a> {
    logs: &'a Logs,
    key: &'a QueryKey,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        lock(&self.logs.queries.open).remove(self.key);
    }
}

/// What is looked at at a time.
struct Piece {
    index: usize,
    /// Until when events have come in that count; none for all.
    until: Option<Timestamp>,
    key: GroupKey,
    log: String,
    scan: Scan,
}

struct Looked {
    execution: Execution,
    next: Result<Option<Piece>, Failure>,
}

/// Why a query cannot go on.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Execution(#[from] ExecutionError),
    #[error(transparent)]
    Segments(#[from] segments::Error),
}

impl Piece {
    fn first(index: usize, key: GroupKey, log: &str, query: &Query, compiled: &Compiled) -> Self {
        let bounds = compiled.time_bounds();
        let start = bounds.start_ms.map_or(query.start_ms, |start| start.max(query.start_ms));
        let end = bounds.end_ms.map_or(query.end_ms, |end| end.min(query.end_ms));
        let scan = Scan {
            start: Some(Timestamp::from_millis(start)),
            end: Some(Timestamp::from_millis(end.saturating_add(1))),
            // The newest first: most queries want these, and can stop once they have enough.
            direction: Direction::Backward,
            limit_events: PIECE_EVENTS,
            limit_bytes: PIECE_BYTES,
            ..Scan::default()
        };
        // Rows that are made again have no event that came after the query had ended: whoever asks may have lost the right to
        // see it since.
        let until = query.ended.filter(|_| !query.is_open());
        Self { index, until, key, log: log.to_owned(), scan }
    }

    fn after(mut self, from: Cursor) -> Self {
        self.scan.from = Some(from);
        self
    }
}

fn look(segments: &Segments, piece: Piece, mut execution: Execution, time_max: Duration) -> Looked {
    let begun = Instant::now();
    let mut failure = None;
    let mut is_done = false;
    let mut ptr = String::new();
    let mut seen = 0u64;
    let scanned = segments.scan(&piece.key, &piece.scan, &mut |event| {
        let timestamp_ms = event.timestamp.as_millis();
        if seen.is_multiple_of(HORIZON_EVENTS) && execution.horizon_ms().is_some_and(|horizon| timestamp_ms < horizon) {
            is_done = true;
            return ControlFlow::Break(());
        }
        seen += 1;
        if piece.until.is_some_and(|until| event.ingestion > until) {
            return ControlFlow::Continue(());
        }
        ptr.clear();
        // Writing to a String cannot fail.
        let _ = write!(ptr, "{}/{:x}", piece.index, event.id.as_u128());
        let pushed = execution.push(&Record {
            timestamp_ms,
            ingestion_ms: event.ingestion.as_millis(),
            message: event.message,
            log_stream: event.stream,
            log: &piece.log,
            ptr: &ptr,
        });
        match pushed {
            Ok(()) if begun.elapsed() < time_max => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let next = match (failure, scanned) {
        (Some(error), _) => Err(error.into()),
        // The group was deleted meanwhile, and has no events any more.
        (None, Err(segments::Error::Deleted(_))) => Ok(None),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(scanned)) => Ok(scanned.next.filter(|_| !is_done).map(|next| piece.after(next))),
    };
    Looked { execution, next }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What holds these locks only reads, inserts and removes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[test]
    fn an_account_with_many_queries_leaves_a_place_to_others() {
        let queries = Queries::default();
        let [one, other] = ["111111111111", "222222222222"].map(|account| account.parse().ok());
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = pin!(queries.place(one)).poll(&mut context) else { panic!("no place") };
        let mut second = pin!(queries.place(one));
        assert!(second.as_mut().poll(&mut context).is_pending());
        let Poll::Ready(theirs) = pin!(queries.place(other)).poll(&mut context) else { panic!("no place is left") };
        drop(first);
        assert!(second.as_mut().poll(&mut context).is_ready());
        drop(theirs);
        queries.of_account("333333333333".parse().unwrap());
        assert_eq!(lock(&queries.of_accounts).len(), 1);
    }
}
