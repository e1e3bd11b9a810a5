//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{Key, LeaseId, Revision};

/// Why the store did not do what it was asked. After every one of them but [`StoreError::Uncertain`] nothing of the
/// transaction has happened.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A guard did not hold: somebody else was there first. Read again and decide again.
    #[error("{key} was changed, created or removed by somebody else")]
    Conflict {
        /// The key of the guard.
        key: Key,
    },
    /// There is no record at the key.
    #[error("there is nothing at {key}")]
    NotFound {
        /// The key.
        key: Key,
    },
    /// The history that was asked for is gone. List again and watch from the listing's revision.
    #[error("the history before revision {floor} has been compacted")]
    Compacted {
        /// The oldest revision from which the history is whole.
        floor: Revision,
    },
    /// A revision was asked for that is still to come.
    #[error("revision {requested} is in the future: the store is at {current}")]
    FutureRevision {
        /// What was asked for.
        requested: Revision,
        /// Where the store is.
        current: Revision,
    },
    /// Something is larger than its limit.
    #[error("{what} is too large: {size}, and at most {max} is allowed")]
    TooLarge {
        /// What: a key, a value, the operations of a transaction.
        what: &'static str,
        /// How large it is, in bytes, or how many.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// Two operations of one transaction write the same key or message.
    #[error("{key} is written twice in one transaction")]
    WrittenTwice {
        /// The key, or queue and message id.
        key: Key,
    },
    /// The root is no key that anything can be stored at, nor has a message an empty queue name or id.
    #[error("an empty key, queue name or message id was given")]
    EmptyKey,
    /// The lease was never granted, was revoked or has expired.
    #[error("lease {lease} does not exist or has expired")]
    LeaseNotFound {
        /// The lease.
        lease: LeaseId,
    },
    /// A message was received by somebody else, acknowledged or removed in the meantime.
    #[error("message {id} of queue {queue} is no longer held by this receiver")]
    ReceiptLost {
        /// The queue.
        queue: String,
        /// The message.
        id: String,
    },
    /// The disk, or the part of it that the store may use, is full. Nothing is lost; writes work again once there is space.
    #[error("no space is left for the store's data")]
    Full,
    /// The operating system failed to read or write the store's files.
    #[error("{doing} failed")]
    Io {
        /// What was being done, on which file.
        doing: String,
        /// What the operating system said.
        source: Arc<io::Error>,
    },
    /// The stored data is damaged.
    #[error("the store is damaged: {reason}")]
    Corrupt {
        /// What does not add up.
        reason: String,
    },
    /// A record cannot be read as the type it was asked for.
    #[error("the record at {key} cannot be read: {reason}")]
    Record {
        /// The record's key.
        key: Key,
        /// Why.
        reason: String,
    },
    /// Another process, or another part of this one, has the store open.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The store's directory.
        path: PathBuf,
    },
    /// The store was written by a later version of the program.
    #[error("the store has schema version {found}, and this program knows versions up to {known}")]
    Newer {
        /// The version that was found.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// The disk refused to make a write durable. Whether it is there is known after the store has been opened again;
    /// until then nothing more is written.
    #[error("the disk failed in the middle of a commit ({reason}); the store must be opened again")]
    Uncertain {
        /// What the disk said.
        reason: String,
    },
    /// The engine failed in a way that has no name of its own.
    #[error("the store's engine failed: {reason}")]
    Engine {
        /// What it said.
        reason: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io { doing: doing.into(), source: Arc::new(source) },
        }
    }

    /// Whether the same request, built on a fresh read, may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
}
