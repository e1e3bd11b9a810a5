//! The engine of one machine: SQLite in WAL mode, every commit synced.
//!
//! One thread writes; what waits is committed together. Reads go to connections of their own, on the thread that asks
//! when they are small.

mod apply;
mod backup;
mod compact;
mod failure;
mod open;
mod queues;
mod read;
mod rows;
mod schema;
mod writer;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use base::{Clock, Timestamp};
use rusqlite::{Connection, Row};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::engine::{Answer, Changes, Engine};
use crate::history::Domains;
use crate::hub::Hub;
use crate::pattern::Pattern;
use crate::{
    Entry, HistoryPolicy, Key, LeaseId, Message, Page, QueueCount, Range, Revision, Store, StoreError, StoreOptions,
    Txn, TxnOutcome,
};
use apply::Counters;
use failure::{doing, engine};
use read::Readers;
use writer::{Job, Lease, Request, Response, Writer};

pub use backup::{RESTORED_REVISION_LEAP, backup_directory, blobs_referenced_in, restore_directory};

/// How many writes may wait for the writer. Who comes after them waits before the queue.
const WAITING_MAX: usize = 4096;
/// Up to this many keys are read on the thread that asks; it takes some tens of microseconds.
const READ_INLINE_MAX: usize = 128;
/// How many larger reads are done at once: each may hold a page of several MiB.
const LARGE_READS_MAX: usize = 4;

pub(crate) struct SqliteEngine {
    clock: Arc<dyn Clock>,
    database: PathBuf,
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    places: Arc<Semaphore>,
    large_reads: Semaphore,
    /// None once the store is being closed.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the writer tells the others.
pub(crate) struct Shared {
    hub: Hub,
    revision: AtomicU64,
    /// Set once what is on disk is uncertain.
    failure: watch::Sender<Option<StoreError>>,
}

impl Shared {
    fn set_revision(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Release);
    }
}

impl Store {
    /// Opens the store in a directory, which is made if it is not there. It blocks while it reads and, the first time,
    /// syncs a few pages.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it open, [`StoreError::Corrupt`] if it is damaged,
    /// [`StoreError::Newer`] if a later version of the program wrote it.
    pub fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { engine: Arc::new(SqliteEngine::open(directory, options)?) })
    }
}

impl SqliteEngine {
    fn open(directory: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let lock = open::lock(directory)?;
        open::create_if_missing(directory)?;
        let database = open::database_in(directory);
        let connection = open::writer(&database, options.sqlite_vfs.as_deref())?;
        let now = options.clock.now();
        let counters = read_counters(&connection)?;
        let shared = Arc::new(Shared {
            hub: Hub::new(counters.revision),
            revision: AtomicU64::new(counters.revision.0),
            failure: watch::Sender::new(None),
        });
        let domains = read_domains(&connection, &options.history, counters.revision, now)?;
        let writer = Writer {
            leases: read_leases(&connection, now)?,
            shared: shared.clone(),
            clock: options.clock.clone(),
            maintenance: options.maintenance,
            counters,
            domains,
            marked_at: Timestamp::MIN,
            compactions: VecDeque::new(),
            expiry_fails: false,
            uncertain: None,
            connection,
            lock,
        };
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&receiver))
            .map_err(|error| StoreError::io("starting the writer", error))?;
        Ok(Self {
            clock: options.clock,
            readers: Arc::new(Readers::new(database.clone())),
            database,
            shared,
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            large_reads: Semaphore::new(LARGE_READS_MAX),
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    async fn ask(&self, request: Request) -> Result<Response, StoreError> {
        // The semaphore is never closed.
        let permit = self.places.clone().acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        self.send(Job { request, reply, permit })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    fn send(&self, job: Job) -> Result<(), StoreError> {
        // An option of a sender cannot be left half changed by a panic.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).ok_or(StoreError::Closed)
    }

    /// Reads here if it is little, elsewhere if it may take long.
    async fn read<T: Send + 'static>(
        &self,
        keys: usize,
        read: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if keys <= READ_INLINE_MAX {
            return self.readers.with(read);
        }
        // The semaphore is never closed.
        let _place = self.large_reads.acquire().await.map_err(|_| StoreError::Closed)?;
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || readers.with(read)).await.unwrap_or(Err(StoreError::Closed))
    }

    fn join_writer(&self) {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A writer that panicked has answered nobody, and they have all been told that the store is closed.
            drop(thread.join());
        }
    }
}

impl Engine for SqliteEngine {
    fn hub(&self) -> &Hub {
        &self.shared.hub
    }

    fn revision(&self) -> Revision {
        Revision(self.shared.revision.load(Ordering::Acquire))
    }

    fn get_many(&self, keys: Vec<Key>) -> Answer<'_, Vec<Option<Entry>>> {
        Box::pin(self.read(keys.len(), move |connection| read::get_many(connection, &keys)))
    }

    fn range(&self, range: Range) -> Answer<'_, Page> {
        let cost = if range.at.is_some() { usize::MAX } else { range.limit };
        Box::pin(self.read(cost, move |connection| read::range(connection, &range)))
    }

    fn changes<'a>(&'a self, pattern: &'a Pattern, after: Revision, limit: usize) -> Answer<'a, Changes> {
        let pattern = pattern.clone();
        let behind = self.revision().0.saturating_sub(after.0);
        let cost = usize::try_from(behind).unwrap_or(usize::MAX);
        Box::pin(self.read(cost, move |connection| read::changes(connection, &pattern, after, limit)))
    }

    fn txn(&self, txn: Txn) -> Answer<'_, TxnOutcome> {
        Box::pin(async {
            match self.ask(Request::Txn(txn)).await? {
                Response::Txn(outcome) => Ok(outcome),
                _ => unreachable!("the writer answers a transaction with its outcome"),
            }
        })
    }

    fn receive(&self, queue: String, max: usize, hold: Duration) -> Answer<'_, Vec<Message>> {
        Box::pin(async move {
            // Asking an empty queue costs no commit.
            let (name, now) = (queue.clone(), self.clock.now());
            if !self.read(1, move |connection| queues::has_visible(connection, &name, now)).await? {
                return Ok(Vec::new());
            }
            match self.ask(Request::Receive { queue, max, hold }).await? {
                Response::Messages(messages) => Ok(messages),
                _ => unreachable!("the writer answers a receiver with messages"),
            }
        })
    }

    fn count(&self, queue: String) -> Answer<'_, QueueCount> {
        let now = self.clock.now();
        Box::pin(self.read(usize::MAX, move |connection| queues::count(connection, &queue, now)))
    }

    fn grant(&self, ttl: Duration) -> Answer<'_, LeaseId> {
        Box::pin(async move {
            match self.ask(Request::Grant(ttl)).await? {
                Response::Lease(lease) => Ok(lease),
                _ => unreachable!("the writer answers a grant with a lease"),
            }
        })
    }

    fn renew(&self, lease: LeaseId) -> Answer<'_, ()> {
        Box::pin(async move { self.ask(Request::Renew(lease)).await.map(drop) })
    }

    fn revoke(&self, lease: LeaseId) -> Answer<'_, ()> {
        Box::pin(async move { self.ask(Request::Revoke(lease)).await.map(drop) })
    }

    fn set_history(&self, prefix: Key, policy: HistoryPolicy) -> Answer<'_, ()> {
        Box::pin(async move { self.ask(Request::SetHistory(prefix, policy)).await.map(drop) })
    }

    fn compact(&self, prefix: Key, revision: Revision) -> Answer<'_, ()> {
        Box::pin(async move { self.ask(Request::Compact(prefix, revision)).await.map(drop) })
    }

    fn maintain(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.ask(Request::Maintain).await.map(drop) })
    }

    fn backup_to(&self, path: PathBuf) -> Answer<'_, Revision> {
        let database = self.database.clone();
        Box::pin(async move {
            let copied = tokio::task::spawn_blocking(move || backup::copy(&database, &path)).await;
            copied.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn failure(&self) -> Pin<Box<dyn Future<Output = StoreError> + Send + '_>> {
        let mut failure = self.shared.failure.subscribe();
        Box::pin(async move {
            let failed = failure.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
            failed.unwrap_or(StoreError::Closed)
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.readers.close();
            match self.ask(Request::Close).await {
                Ok(_) | Err(StoreError::Closed) => {}
                Err(error) => return Err(error),
            }
            self.join_writer();
            Ok(())
        })
    }
}

impl Drop for SqliteEngine {
    fn drop(&mut self) {
        self.readers.close();
        self.join_writer();
    }
}

fn read_counters(connection: &Connection) -> Result<Counters, StoreError> {
    let read = |row: &Row<'_>| {
        let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(Counters { revision: Revision(number(0)?), serial: number(1)?, leases_granted: number(2)? })
    };
    let sql = "SELECT revision, serial, leases_granted FROM meta";
    connection.query_row(sql, [], read).map_err(doing("reading the revision"))
}

/// The stored policies, with those of the program put over them.
fn read_domains(
    connection: &Connection,
    wanted: &[(Key, HistoryPolicy)],
    revision: Revision,
    now: Timestamp,
) -> Result<Domains, StoreError> {
    let mut domains = read::domains(connection)?;
    for (prefix, policy) in wanted {
        let known = domains.iter().any(|(key, domain)| key == prefix && domain.policy == *policy);
        if !known {
            domains.register(prefix.clone(), *policy);
            writer::write_domain(connection, &domains, prefix)?;
        }
    }
    let mut select = connection.prepare("SELECT revision, at_ms FROM mark ORDER BY revision").map_err(engine)?;
    let marks = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).map_err(engine)?;
    for mark in marks {
        let (revision, at_ms) = mark.map_err(doing("reading the history's age"))?;
        domains.recall(Revision(revision.cast_unsigned()), Timestamp::from_millis(at_ms));
    }
    domains.recall(revision, now);
    Ok(domains)
}

/// Every lease, with its full time before it.
fn read_leases(connection: &Connection, now: Timestamp) -> Result<BTreeMap<LeaseId, Lease>, StoreError> {
    let mut select = connection.prepare("SELECT id, ttl_ms FROM lease").map_err(engine)?;
    let read = |row: &Row<'_>| {
        let ttl = Duration::from_millis(row.get::<_, i64>(1)?.cast_unsigned());
        Ok((LeaseId(row.get::<_, i64>(0)?.cast_unsigned()), Lease { ttl, expires: now.plus(ttl) }))
    };
    select.query_map([], read).and_then(Iterator::collect).map_err(doing("reading the leases"))
}
