//! The one writer: a thread that takes all that waits, applies it in one SQLite transaction, commits once, and answers.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use base::{Clock, Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::Shared;
use super::apply::{Batch, Counters};
use super::compact;
use super::failure::{doing, engine};
use super::{open, queues};
use crate::history::Domains;
use crate::{HistoryPolicy, Key, LeaseId, Maintenance, Message, Revision, StoreError, Txn, TxnOutcome};

/// The most that one commit takes together.
const BATCH_REQUESTS_MAX: usize = 256;
/// Beyond this many bytes a batch takes nothing more.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most leases that end in one commit.
const EXPIRED_TOGETHER_MAX: usize = 16;
/// How often the history's age is looked at while there is any.
const COMPACTION_INTERVAL: Duration = Duration::from_secs(10);
/// How long the thread sleeps at most while there are leases: the clock may have been set.
const LEASE_SLEEP_MAX: Duration = Duration::from_secs(1);
/// How often it is noted which revision was current when, so that a restart does not make old history young.
const MARK_INTERVAL: Duration = Duration::from_secs(60);

/// A write, and whom to tell.
pub(super) struct Job {
    pub(super) request: Request,
    pub(super) reply: oneshot::Sender<Result<Response, StoreError>>,
    /// Keeps the queue to the writer short; given back with the answer.
    pub(super) permit: OwnedSemaphorePermit,
}

pub(super) enum Request {
    Txn(Txn),
    Receive { queue: String, max: usize, hold: Duration },
    Grant(Duration),
    Renew(LeaseId),
    Revoke(LeaseId),
    SetHistory(Key, HistoryPolicy),
    Compact(Key, Revision),
    Maintain,
    Close,
}

pub(super) enum Response {
    Txn(TxnOutcome),
    Messages(Vec<Message>),
    Lease(LeaseId),
    Done,
}

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) maintenance: Maintenance,
    pub(super) counters: Counters,
    pub(super) domains: Domains,
    pub(super) leases: BTreeMap<LeaseId, Lease>,
    pub(super) marked_at: Timestamp,
    /// Floors that are still to be reached.
    pub(super) compactions: VecDeque<(Key, Revision)>,
    /// Whether the last attempt to end leases failed.
    pub(super) expiry_fails: bool,
    /// Set once a commit has failed in a way that leaves open what is on disk.
    pub(super) uncertain: Option<StoreError>,
    /// Held as long as the store is open.
    pub(super) lock: File,
}

/// A lease's time. When it ends is kept in memory only: opening the store renews it.
pub(super) struct Lease {
    pub(super) ttl: Duration,
    pub(super) expires: Timestamp,
}

impl Writer {
    /// Serves until the store is closed or all of its handles are gone.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut looked_at = self.clock.now();
        loop {
            let first = match jobs.recv_timeout(self.sleep()) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return self.finish(None),
            };
            if let Some(closing) = self.serve(first, jobs) {
                return self.finish(Some(closing));
            }
            if self.maintenance == Maintenance::Automatic {
                let now = self.clock.now();
                // Whoever writes next is told the same error; here it only slows the next attempt down.
                self.expiry_fails = self.expire(now).is_err();
                if now.since(looked_at) >= COMPACTION_INTERVAL {
                    looked_at = now;
                    self.plan_compaction(now);
                }
                drop(self.compact_slice());
            }
        }
    }

    /// How long nothing need be done unless a request comes.
    fn sleep(&self) -> Duration {
        const NOTHING_TO_DO: Duration = Duration::from_secs(3600);
        if self.maintenance == Maintenance::OnDemand {
            return NOTHING_TO_DO;
        }
        if !self.compactions.is_empty() && self.uncertain.is_none() {
            return Duration::ZERO;
        }
        let now = self.clock.now();
        let expiry = match self.leases.values().map(|lease| lease.expires.since(now).min(LEASE_SLEEP_MAX)).min() {
            Some(_) if self.expiry_fails => Some(LEASE_SLEEP_MAX),
            expiry => expiry,
        };
        let history = (!self.domains.is_settled()).then_some(COMPACTION_INTERVAL);
        expiry.into_iter().chain(history).min().unwrap_or(NOTHING_TO_DO)
    }

    /// Serves a request and all that wait behind it. Answers the one that closes the store, when it comes.
    fn serve(&mut self, first: Option<Job>, jobs: &Receiver<Job>) -> Option<Job> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut next = first;
        while let Some(job) = next {
            match job.request {
                Request::Close => {
                    self.commit_batch(batch);
                    return Some(job);
                }
                Request::Renew(lease) => job.answer(self.renew(lease).map(|()| Response::Done)),
                Request::Compact(..) | Request::SetHistory(..) | Request::Maintain => {
                    self.commit_batch(std::mem::take(&mut batch));
                    let answer = self.do_alone(&job.request).map(|()| Response::Done);
                    job.answer(answer);
                }
                _ => {
                    bytes += job.request.bytes();
                    batch.push(job);
                }
            }
            let full = batch.len() >= BATCH_REQUESTS_MAX || bytes >= BATCH_BYTES_MAX;
            next = if full { None } else { jobs.try_recv().ok() };
        }
        self.commit_batch(batch);
        None
    }

    /// Commits what a batch asks for, and answers. When the disk has no room for all of it, each request is tried by
    /// itself: a small one may still fit.
    fn commit_batch(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.try_commit(&jobs) {
            Ok(answers) => jobs.into_iter().zip(answers).for_each(|(job, answer)| job.answer(answer)),
            Err(StoreError::Full) if jobs.len() > 1 => {
                for job in jobs {
                    let answer = self
                        .try_commit(std::slice::from_ref(&job))
                        .and_then(|answers| answers.into_iter().next().expect("there is an answer to each job"));
                    job.answer(answer);
                }
            }
            Err(error) => jobs.into_iter().for_each(|job| job.answer(Err(error.clone()))),
        }
    }

    fn try_commit(&mut self, jobs: &[Job]) -> Result<Vec<Result<Response, StoreError>>, StoreError> {
        self.commit(|connection, batch| {
            let mut answers = Vec::with_capacity(jobs.len());
            for job in jobs {
                match job.request.apply(connection, batch) {
                    // Refused before it wrote anything: the others go on without it.
                    Err(error @ (StoreError::LeaseNotFound { .. } | StoreError::TooLarge { .. })) => {
                        answers.push(Err(error));
                    }
                    Err(error) => return Err(error),
                    Ok(response) => answers.push(Ok(response)),
                }
            }
            Ok(answers)
        })
    }

    /// Runs `apply` in a SQLite transaction, commits it, and then lets the world know.
    fn commit<T>(
        &mut self,
        apply: impl FnOnce(&Connection, &mut Batch) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.uncertain {
            return Err(error.clone());
        }
        let now = self.clock.now();
        let mut batch = Batch::new(now, self.counters);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(doing("beginning to write"))?;
        let answer = apply(&transaction, &mut batch)?;
        if batch.counters != self.counters {
            write_counters(&transaction, batch.counters)?;
        }
        let mark = batch.counters.revision > self.counters.revision && now.since(self.marked_at) >= MARK_INTERVAL;
        if mark {
            write_mark(&transaction, self.counters.revision, now, self.domains.keep_max())?;
        }
        transaction.commit().map_err(|error| match doing("committing")(error) {
            StoreError::Full => StoreError::Full,
            error => {
                let error = StoreError::Uncertain { reason: error.to_string() };
                self.uncertain = Some(error.clone());
                self.shared.failure.send_replace(Some(error.clone()));
                error
            }
        })?;
        if mark {
            self.marked_at = now;
        }
        self.publish(batch);
        Ok(answer)
    }

    fn publish(&mut self, batch: Batch) {
        self.counters = batch.counters;
        for lease in batch.ended {
            self.leases.remove(&lease);
        }
        for (lease, ttl) in batch.granted {
            self.leases.insert(lease, Lease { ttl, expires: batch.now.plus(ttl) });
        }
        self.shared.set_revision(self.counters.revision);
        for commit in batch.commits {
            self.domains.record(commit.keys.iter(), commit.before, batch.now);
            self.shared.hub.publish(commit.revision, &commit.keys, commit.queues.iter().map(String::as_str));
        }
    }

    fn renew(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let now = self.clock.now();
        let it = self.leases.get_mut(&lease).ok_or(StoreError::LeaseNotFound { lease })?;
        it.expires = now.plus(it.ttl);
        Ok(())
    }

    fn do_alone(&mut self, request: &Request) -> Result<(), StoreError> {
        match request {
            Request::SetHistory(prefix, policy) => return self.set_history(prefix, *policy),
            Request::Compact(prefix, revision) => self.compact(prefix, *revision)?,
            _ => {
                let now = self.clock.now();
                self.expire(now)?;
                self.plan_compaction(now);
            }
        }
        while !self.compactions.is_empty() {
            self.compact_slice()?;
        }
        Ok(())
    }

    /// Ends the leases whose time has come, each in a revision of its own.
    fn expire(&mut self, now: Timestamp) -> Result<(), StoreError> {
        loop {
            let expired = self.leases.iter().filter(|(_, lease)| lease.expires <= now).map(|(id, _)| *id);
            let expired: Vec<LeaseId> = expired.take(EXPIRED_TOGETHER_MAX).collect();
            if expired.is_empty() {
                return Ok(());
            }
            self.commit(|connection, batch| expired.iter().try_for_each(|lease| batch.revoke(connection, *lease)))?;
        }
    }

    fn plan_compaction(&mut self, now: Timestamp) {
        for due in self.domains.due(self.counters.revision, now) {
            self.compactions.retain(|(prefix, _)| *prefix != due.0);
            self.compactions.push_back(due);
        }
    }

    fn set_history(&mut self, prefix: &Key, policy: HistoryPolicy) -> Result<(), StoreError> {
        let mut domains = self.domains.clone();
        domains.register(prefix.clone(), policy);
        write_domain(&self.connection, &domains, prefix)?;
        self.domains = domains;
        Ok(())
    }

    fn compact(&mut self, prefix: &Key, revision: Revision) -> Result<(), StoreError> {
        if revision > self.counters.revision {
            return Err(StoreError::FutureRevision { requested: revision, current: self.counters.revision });
        }
        let mut domains = self.domains.clone();
        let due = domains.compacted_by(prefix, revision);
        write_domain(&self.connection, &domains, prefix)?;
        self.domains = domains;
        self.compactions.extend(due);
        Ok(())
    }

    fn compact_slice(&mut self) -> Result<(), StoreError> {
        let Some((prefix, target)) = self.compactions.front().cloned() else { return Ok(()) };
        if let Some(error) = &self.uncertain {
            return Err(error.clone());
        }
        let from = self.domains.governing(&prefix).1.floor;
        let reached = if from < target {
            compact::slice(&mut self.connection, &self.domains, &prefix, from, target).inspect_err(|_| {
                // It comes again with the next look at the history.
                self.compactions.pop_front();
            })?
        } else {
            target
        };
        self.domains.set_floor(&prefix, reached.max(from));
        if reached >= target {
            self.compactions.pop_front();
        }
        Ok(())
    }

    /// Lets go of the files, then of the lock, then answers.
    fn finish(self, closing: Option<Job>) {
        self.shared.hub.close();
        drop(self.connection);
        open::unlock(&self.lock);
        if let Some(job) = closing {
            job.answer(Ok(Response::Done));
        }
    }
}

impl Job {
    fn answer(self, answer: Result<Response, StoreError>) {
        drop(self.permit);
        // Whoever has stopped waiting need not be told.
        drop(self.reply.send(answer));
    }
}

impl Request {
    fn apply(&self, connection: &Connection, batch: &mut Batch) -> Result<Response, StoreError> {
        match self {
            Self::Txn(txn) => batch.txn(connection, txn).map(Response::Txn),
            Self::Receive { queue, max, hold } => {
                queues::receive(connection, batch, queue, *max, *hold).map(Response::Messages)
            }
            Self::Grant(ttl) => batch.grant(connection, *ttl).map(Response::Lease),
            Self::Revoke(lease) => batch.revoke(connection, *lease).map(|()| Response::Done),
            Self::SetHistory(..) | Self::Renew(_) | Self::Compact(..) | Self::Maintain | Self::Close => {
                Ok(Response::Done)
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Txn(txn) => txn.bytes(),
            _ => 0,
        }
    }
}

fn write_counters(connection: &Connection, counters: Counters) -> Result<(), StoreError> {
    let sql = "UPDATE meta SET revision = ?1, serial = ?2, leases_granted = ?3";
    let row = params![
        counters.revision.0.cast_signed(),
        counters.serial.cast_signed(),
        counters.leases_granted.cast_signed()
    ];
    connection.prepare_cached(sql).and_then(|mut update| update.execute(row)).map_err(engine)?;
    Ok(())
}

fn write_mark(connection: &Connection, revision: Revision, now: Timestamp, keep: Duration) -> Result<(), StoreError> {
    let mark = params![revision.0.cast_signed(), now.as_millis()];
    connection.execute("INSERT OR REPLACE INTO mark VALUES (?1, ?2)", mark).map_err(engine)?;
    let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
    let oldest = now.as_millis().saturating_sub(keep_ms.saturating_mul(2));
    connection.execute("DELETE FROM mark WHERE at_ms < ?1", [oldest]).map_err(engine)?;
    Ok(())
}

/// Stores a domain's policy and floor.
pub(super) fn write_domain(connection: &Connection, domains: &Domains, prefix: &Key) -> Result<(), StoreError> {
    let (_, domain) = domains.governing(prefix);
    let sql = "INSERT OR REPLACE INTO history VALUES (?1, ?2, ?3, ?4)";
    let row = params![
        prefix.as_str(),
        i64::try_from(domain.policy.keep.as_millis()).unwrap_or(i64::MAX),
        i64::try_from(domain.policy.events_max).unwrap_or(i64::MAX),
        domain.floor.0.cast_signed()
    ];
    connection.execute(sql, row).map_err(engine)?;
    Ok(())
}
