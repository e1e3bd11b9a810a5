//! Transactions: guards, and what is done when they hold.

use std::collections::BTreeSet;

use base::Timestamp;

use crate::limits::{
    KEY_BYTES_MAX, PREFIX_DELETIONS_MAX, QUEUE_NAME_BYTES_MAX, TXN_BYTES_MAX, TXN_OPERATIONS_MAX, VALUE_BYTES_MAX,
};
use crate::queue::Receipt;
use crate::{Key, LeaseId, Revision, StoreError};

/// What must hold, at the moment of the transaction, for it to do what is under `then`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// There is nothing at the key.
    Absent(Key),
    /// There is something at the key.
    Exists(Key),
    /// The key exists and was last written by this revision.
    Modified(Key, Revision),
    /// There is no key below this one.
    NoneBelow(Key),
    /// The message is in the queue, held by this receipt.
    Held {
        /// The queue.
        queue: String,
        /// The message.
        id: String,
        /// What receiving it gave.
        receipt: Receipt,
    },
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Stores a value, in place of what is there.
    Put {
        /// Where.
        key: Key,
        /// What.
        value: Vec<u8>,
        /// The lease that the key ends with; without one it loses the lease that it had.
        lease: Option<LeaseId>,
    },
    /// Deletes a key, if it is there.
    Delete {
        /// Which.
        key: Key,
    },
    /// Deletes the first `limit` keys below a prefix, in the order of the keys.
    DeletePrefix {
        /// Below what.
        prefix: Key,
        /// How many at most; [`PREFIX_DELETIONS_MAX`] is the most that is allowed.
        limit: usize,
    },
    /// Puts a message into a queue. One with the same id is replaced, and whoever holds it loses it.
    Enqueue {
        /// The queue; it need not exist before.
        queue: String,
        /// The message's id within the queue.
        id: String,
        /// What the receiver gets.
        body: Vec<u8>,
        /// When it can be received.
        visible_at: Timestamp,
    },
    /// Removes a message that is held by this receipt; if it is not, nothing happens (see [`Guard::Held`]).
    Ack {
        /// The queue.
        queue: String,
        /// The message.
        id: String,
        /// What receiving it gave.
        receipt: Receipt,
    },
    /// Moves the instant at which a held message can be received again, and with it the end of the hold.
    Extend {
        /// The queue.
        queue: String,
        /// The message.
        id: String,
        /// What receiving it gave.
        receipt: Receipt,
        /// When it can be received again.
        visible_at: Timestamp,
    },
    /// Removes a message, held or not.
    Remove {
        /// The queue.
        queue: String,
        /// The message.
        id: String,
    },
}

/// Guards, and what to do if all of them hold or if one does not. It happens whole or not at all, under one revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Txn {
    /// All of them must hold.
    pub guards: Vec<Guard>,
    /// What is done if they do. No key or message may be written twice.
    pub then: Vec<Op>,
    /// What is done if one does not.
    pub otherwise: Vec<Op>,
}

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnOutcome {
    /// The store's revision after it. A transaction that changed no key has none of its own.
    pub revision: Revision,
    /// Whether the guards held.
    pub held: bool,
    /// The key of the first guard that did not; for a message, the queue's name and the id.
    pub failed: Option<Key>,
}

impl Guard {
    /// What the guard is about; for a message, the queue's name and the id.
    pub(crate) fn key(&self) -> Key {
        match self {
            Self::Absent(key) | Self::Exists(key) | Self::Modified(key, _) | Self::NoneBelow(key) => key.clone(),
            Self::Held { queue, id, .. } => Key::new([queue, id]),
        }
    }

    fn check(&self) -> Result<usize, StoreError> {
        match self {
            Self::Absent(key) | Self::Exists(key) | Self::Modified(key, _) => check_key(key),
            Self::NoneBelow(key) => check_size("a key", key.as_str().len(), KEY_BYTES_MAX),
            Self::Held { queue, id, .. } => check_message(queue, id),
        }
    }
}

impl Op {
    fn check(&self) -> Result<usize, StoreError> {
        match self {
            Self::Put { key, value, .. } => Ok(check_key(key)? + check_size("a value", value.len(), VALUE_BYTES_MAX)?),
            Self::Delete { key } => check_key(key),
            Self::DeletePrefix { prefix, limit } => {
                check_size("a prefix deletion's limit", *limit, PREFIX_DELETIONS_MAX)?;
                check_size("a key", prefix.as_str().len(), KEY_BYTES_MAX)
            }
            Self::Enqueue { queue, id, body, .. } => {
                Ok(check_message(queue, id)? + check_size("a message", body.len(), VALUE_BYTES_MAX)?)
            }
            Self::Ack { queue, id, .. } | Self::Extend { queue, id, .. } | Self::Remove { queue, id } => {
                check_message(queue, id)
            }
        }
    }
}

impl Txn {
    /// About how much it writes.
    pub(crate) fn bytes(&self) -> usize {
        let size = |op: &Op| match op {
            Op::Put { value, .. } => value.len(),
            Op::Enqueue { body, .. } => body.len(),
            _ => 0,
        };
        self.then.iter().map(size).sum::<usize>().max(self.otherwise.iter().map(size).sum())
    }

    /// Checks every limit that does not depend on what is stored.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        check_size("the guards of a transaction", self.guards.len(), TXN_OPERATIONS_MAX)?;
        check_size("the operations of a transaction", self.then.len(), TXN_OPERATIONS_MAX)?;
        check_size("the operations of a transaction", self.otherwise.len(), TXN_OPERATIONS_MAX)?;
        let mut bytes = 0;
        for guard in &self.guards {
            bytes += guard.check()?;
        }
        for op in self.then.iter().chain(&self.otherwise) {
            bytes += op.check()?;
        }
        check_size("a transaction", bytes, TXN_BYTES_MAX)?;
        check_written_once(&self.then)?;
        check_written_once(&self.otherwise)
    }
}

/// One revision can hold one event of a key, so two writes of one key have no meaning.
fn check_written_once(ops: &[Op]) -> Result<(), StoreError> {
    let mut keys = BTreeSet::new();
    let mut messages = BTreeSet::new();
    for op in ops {
        let first = match op {
            Op::Put { key, .. } | Op::Delete { key } => keys.insert(key),
            Op::Enqueue { queue, id, .. }
            | Op::Ack { queue, id, .. }
            | Op::Extend { queue, id, .. }
            | Op::Remove { queue, id } => {
                if !messages.insert((queue, id)) {
                    return Err(StoreError::WrittenTwice { key: Key::new([queue, id]) });
                }
                true
            }
            Op::DeletePrefix { .. } => true,
        };
        if !first && let Op::Put { key, .. } | Op::Delete { key } = op {
            return Err(StoreError::WrittenTwice { key: key.clone() });
        }
    }
    let prefixes: Vec<&Key> = ops
        .iter()
        .filter_map(|op| if let Op::DeletePrefix { prefix, .. } = op { Some(prefix) } else { None })
        .collect();
    for (position, prefix) in prefixes.iter().enumerate() {
        let others = prefixes[..position].iter();
        let overlapping = others.clone().find(|other| other.covers(prefix) || prefix.covers(other));
        if let Some(key) = keys.iter().find(|key| prefix.is_above(key)).or(overlapping) {
            return Err(StoreError::WrittenTwice { key: (*key).clone() });
        }
    }
    Ok(())
}

fn check_key(key: &Key) -> Result<usize, StoreError> {
    if key.is_root() {
        return Err(StoreError::EmptyKey);
    }
    check_size("a key", key.as_str().len(), KEY_BYTES_MAX)
}

fn check_message(queue: &str, id: &str) -> Result<usize, StoreError> {
    if queue.is_empty() || id.is_empty() {
        return Err(StoreError::EmptyKey);
    }
    check_size("a queue's name", queue.len(), QUEUE_NAME_BYTES_MAX)?;
    check_size("a message's id", id.len(), QUEUE_NAME_BYTES_MAX)?;
    Ok(queue.len() + id.len())
}

pub(crate) fn check_size(what: &'static str, size: usize, max: usize) -> Result<usize, StoreError> {
    if size > max { Err(StoreError::TooLarge { what, size, max }) } else { Ok(size) }
}
