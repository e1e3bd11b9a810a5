//! The store's raw layer: keys, values, transactions.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, SystemClock, Timestamp};

use crate::engine::Engine;
use crate::limits::{KEY_BYTES_MAX, RECEIVE_MAX};
use crate::memory::MemoryEngine;
use crate::pattern::Pattern;
use crate::queue::{Message, QueueCount};
use crate::txn::check_size;
use crate::watch::Watch;
use crate::{
    ChangeCount, Entry, Guard, HistoryPolicy, Key, LeaseId, Op, Page, QueueSignal, Range, Revision, StoreError, Txn,
    TxnOutcome,
};

/// The state of everything: a handle that is cheap to clone. See the [crate's page](crate).
#[derive(Clone)]
pub struct Store {
    pub(crate) engine: Arc<dyn Engine>,
}

/// How a store behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Tells when leases expire, messages become visible and history grows old.
    pub clock: Arc<dyn Clock>,
    /// How much history is kept below which prefix; the root's own entry replaces the default.
    pub history: Vec<(Key, HistoryPolicy)>,
    /// Who expires leases and compacts history.
    pub maintenance: Maintenance,
    /// The SQLite file system to use, by the name under which it is registered: tests of power loss bring one that
    /// forgets. Reads do not work with it.
    #[doc(hidden)]
    pub sqlite_vfs: Option<String>,
}

/// Who expires leases and compacts history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maintenance {
    /// The engine, when the time has come.
    Automatic,
    /// Whoever calls [`Store::maintain`]: tests and simulations, which move the clock themselves. A store in memory knows
    /// this only.
    OnDemand,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            history: Vec::new(),
            maintenance: Maintenance::Automatic,
            sqlite_vfs: None,
        }
    }
}

impl Store {
    /// A store that lives as long as its handles do. It is the model of all engines, and what simulations use.
    pub fn in_memory(options: StoreOptions) -> Self {
        Self { engine: Arc::new(MemoryEngine::new(options.clock, &options.history)) }
    }

    /// The current revision.
    pub fn revision(&self) -> Revision {
        self.engine.revision()
    }

    /// Reads a key.
    pub async fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        Ok(self.get_many(vec![key.clone()]).await?.pop().flatten())
    }

    /// Reads keys, all at one revision. The answers are in the order of the keys.
    pub async fn get_many(&self, keys: Vec<Key>) -> Result<Vec<Option<Entry>>, StoreError> {
        self.engine.get_many(keys).await
    }

    /// Reads a part of a range: as many entries as its limit and the size of a page allow.
    ///
    /// # Errors
    /// [`StoreError::Compacted`] or [`StoreError::FutureRevision`] if its revision cannot be read.
    pub async fn range(&self, range: Range) -> Result<Page, StoreError> {
        self.engine.range(range.limit_to_page()).await
    }

    /// Runs a transaction. When this returns `Ok` it is on disk, and every read sees it.
    ///
    /// # Errors
    /// A guard that does not hold is no error: [`TxnOutcome::held`] tells. The limits, a lease that has gone and a full
    /// disk are.
    pub async fn txn(&self, txn: Txn) -> Result<TxnOutcome, StoreError> {
        txn.check()?;
        self.engine.txn(txn).await
    }

    /// Watches a key and all below it, from the first event after a revision.
    pub fn watch(&self, prefix: &Key, after: Revision) -> Watch {
        Watch::new(self.engine.clone(), Pattern::At(prefix.clone()), after)
    }

    /// Watches the keys `*/*/<service>/<kind>` and below, of every account and region.
    pub fn watch_kind(&self, service: &str, kind: &str, after: Revision) -> Watch {
        Watch::new(self.engine.clone(), Pattern::kind(service, kind), after)
    }

    /// Counts the changes of a key and of all below it, from now on.
    pub fn count_changes(&self, prefix: &Key) -> ChangeCount {
        ChangeCount::new(self.engine.clone(), prefix)
    }

    /// Makes a lease, which ends `ttl` after its last renewal. Opening the store renews every lease.
    pub async fn grant(&self, ttl: Duration) -> Result<LeaseId, StoreError> {
        self.engine.grant(ttl).await
    }

    /// Gives a lease its full time again. Touches no disk.
    ///
    /// # Errors
    /// [`StoreError::LeaseNotFound`] once it has expired.
    pub async fn renew(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.engine.renew(lease).await
    }

    /// Ends a lease: its keys are deleted in one transaction.
    ///
    /// # Errors
    /// [`StoreError::LeaseNotFound`] if it has ended already.
    pub async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.engine.revoke(lease).await
    }

    /// Takes up to `max` messages that are visible, those that have been so for longest first, and holds them for
    /// `hold`: nobody else gets them unless it passes. One that is never acknowledged comes again.
    pub async fn receive(&self, queue: &str, max: usize, hold: Duration) -> Result<Vec<Message>, StoreError> {
        self.engine.receive(queue.to_owned(), max.min(RECEIVE_MAX), hold).await
    }

    /// Puts a message into a queue; see [`Op::Enqueue`], which does it together with other writes.
    pub async fn enqueue(&self, queue: &str, id: &str, body: Vec<u8>, visible_at: Timestamp) -> Result<(), StoreError> {
        let op = Op::Enqueue { queue: queue.to_owned(), id: id.to_owned(), body, visible_at };
        self.txn(Txn { then: vec![op], ..Txn::default() }).await.map(drop)
    }

    /// Removes a message that was received; see [`Tx::ack`](crate::Tx::ack), which does it together with other writes.
    ///
    /// # Errors
    /// [`StoreError::ReceiptLost`] if somebody else has received it since.
    pub async fn ack(&self, message: &Message) -> Result<(), StoreError> {
        self.on_held(
            message,
            Op::Ack { queue: message.queue.clone(), id: message.id.clone(), receipt: message.receipt },
        )
        .await
    }

    /// Moves the end of a hold, later or earlier: with the present instant, the message is released.
    ///
    /// # Errors
    /// [`StoreError::ReceiptLost`] if somebody else has received it since.
    pub async fn extend(&self, message: &Message, visible_at: Timestamp) -> Result<(), StoreError> {
        let (queue, id) = (message.queue.clone(), message.id.clone());
        self.on_held(message, Op::Extend { queue, id, receipt: message.receipt, visible_at }).await
    }

    async fn on_held(&self, message: &Message, op: Op) -> Result<(), StoreError> {
        let (queue, id) = (message.queue.clone(), message.id.clone());
        let guard = Guard::Held { queue: queue.clone(), id: id.clone(), receipt: message.receipt };
        let outcome = self.txn(Txn { guards: vec![guard], then: vec![op], otherwise: Vec::new() }).await?;
        if outcome.held { Ok(()) } else { Err(StoreError::ReceiptLost { queue, id }) }
    }

    /// Counts the messages of a queue.
    pub async fn count(&self, queue: &str) -> Result<QueueCount, StoreError> {
        self.engine.count(queue.to_owned()).await
    }

    /// Tells when messages are put into a queue, so that a receiver need not poll.
    pub fn queue_signal(&self, queue: &str) -> QueueSignal {
        QueueSignal(self.engine.hub().queue(queue))
    }

    /// Sets how much history is kept at and below a prefix. The longest registered prefix of a key decides. It is kept
    /// with the store.
    pub async fn set_history(&self, prefix: &Key, policy: HistoryPolicy) -> Result<(), StoreError> {
        check_size("a key", prefix.as_str().len(), KEY_BYTES_MAX)?;
        self.engine.set_history(prefix.clone(), policy).await
    }

    /// Drops the history at and below a prefix up to a revision: a watch can begin after it, but not before it.
    pub async fn compact(&self, prefix: &Key, revision: Revision) -> Result<(), StoreError> {
        check_size("a key", prefix.as_str().len(), KEY_BYTES_MAX)?;
        self.engine.compact(prefix.clone(), revision).await
    }

    /// Expires the leases and compacts the history whose time has come. With [`Maintenance::Automatic`] the store does so
    /// by itself.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        self.engine.maintain().await
    }

    /// Writes a consistent copy of the state into a new file, readable by its owner only, while writes go on.
    ///
    /// # Errors
    /// [`StoreError::Io`] if the file exists or cannot be written, [`StoreError::Full`] if there is no space for it.
    pub async fn backup_to(&self, path: &Path) -> Result<Revision, StoreError> {
        self.engine.backup_to(path.to_owned()).await
    }

    /// Waits until the disk fails in the middle of a commit, after which every write is refused with
    /// [`StoreError::Uncertain`] until the store has been opened again. Whoever serves from the store ends then, and is
    /// started anew.
    pub async fn failure(&self) -> StoreError {
        self.engine.failure().await
    }

    /// Finishes the writes that have begun and closes the files, though other handles may still exist: whatever is asked
    /// of them is answered [`StoreError::Closed`].
    pub async fn close(&self) -> Result<(), StoreError> {
        self.engine.close().await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("revision", &self.revision()).finish_non_exhaustive()
    }
}
