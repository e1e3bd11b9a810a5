//! What an engine must do. The conformance suite says it in more detail.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use crate::hub::Hub;
use crate::pattern::Pattern;
use crate::{
    Entry, Event, HistoryPolicy, Key, LeaseId, Message, Page, QueueCount, Range, Revision, StoreError, Txn, TxnOutcome,
};

/// An engine's answer.
pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Events of a pattern, in the order of revision and key.
#[derive(Debug)]
pub(crate) struct Changes {
    /// The events. No revision is split.
    pub(crate) events: Vec<Event>,
    /// Everything up to this revision is among them, or was asked for before.
    pub(crate) through: Revision,
}

/// Keeps the state. Every write is durable, as far as the engine is, before it is answered, and every read sees the
/// writes that have been answered. What is given to it has been checked against the limits.
pub(crate) trait Engine: Send + Sync + 'static {
    /// What wakes the watches.
    fn hub(&self) -> &Hub;
    /// The current revision.
    fn revision(&self) -> Revision;
    /// Reads keys, all at one revision; the answers are in the order of the keys.
    fn get_many(&self, keys: Vec<Key>) -> Answer<'_, Vec<Option<Entry>>>;
    /// Reads a range.
    fn range(&self, range: Range) -> Answer<'_, Page>;
    /// Reads the history after a revision, up to `limit` events and the rest of the last one's revision.
    fn changes<'a>(&'a self, pattern: &'a Pattern, after: Revision, limit: usize) -> Answer<'a, Changes>;
    /// Runs a transaction.
    fn txn(&self, txn: Txn) -> Answer<'_, TxnOutcome>;
    /// Takes up to `max` visible messages, the longest visible first, and holds them.
    fn receive(&self, queue: String, max: usize, hold: Duration) -> Answer<'_, Vec<Message>>;
    /// Counts the messages of a queue.
    fn count(&self, queue: String) -> Answer<'_, QueueCount>;
    /// Makes a lease.
    fn grant(&self, ttl: Duration) -> Answer<'_, LeaseId>;
    /// Gives a lease its full time again; this is kept in memory alone.
    fn renew(&self, lease: LeaseId) -> Answer<'_, ()>;
    /// Ends a lease and deletes its keys.
    fn revoke(&self, lease: LeaseId) -> Answer<'_, ()>;
    /// Registers a history policy.
    fn set_history(&self, prefix: Key, policy: HistoryPolicy) -> Answer<'_, ()>;
    /// Drops the history of the keys at and below a prefix, up to and with a revision.
    fn compact(&self, prefix: Key, revision: Revision) -> Answer<'_, ()>;
    /// Expires the leases and compacts the history whose time has come.
    fn maintain(&self) -> Answer<'_, ()>;
    /// Writes a consistent copy into a new file.
    fn backup_to(&self, path: PathBuf) -> Answer<'_, Revision>;
    /// Waits until the engine can no longer tell what is on disk.
    fn failure(&self) -> Pin<Box<dyn Future<Output = StoreError> + Send + '_>>;
    /// Finishes what has begun and lets go of the files.
    fn close(&self) -> Answer<'_, ()>;
}
