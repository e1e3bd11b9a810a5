//! Building a transaction from records.

use std::collections::BTreeSet;

use base::Timestamp;

use super::envelope::encode;
use super::{Record, Scope, SecondaryKey, Versioned, record_key, secondary_key};
use crate::{Guard, Key, LeaseId, Message, Op, Revision, Store, StoreError, Txn};

/// Changes to records that happen together or not at all.
///
/// What goes wrong while it is built (a record that cannot be encoded) is told by [`Store::commit`].
#[derive(Debug, Clone, Default)]
pub struct Tx {
    guards: Vec<Guard>,
    ops: Vec<Op>,
    failure: Option<StoreError>,
}

impl Tx {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a record; a conflict if there is one with this id.
    pub fn insert<R: Record>(&mut self, scope: &Scope, id: &[&str], record: &R) -> &mut Self {
        self.insert_leased(scope, id, record, None)
    }

    /// Creates a record that is removed when the lease ends.
    pub fn insert_leased<R: Record>(
        &mut self,
        scope: &Scope,
        id: &[&str],
        record: &R,
        lease: impl Into<Option<LeaseId>>,
    ) -> &mut Self {
        let key = record_key::<R>(scope, id);
        self.guards.push(Guard::Absent(key.clone()));
        self.put(scope, key, record, lease.into(), &[])
    }

    /// Changes a record; a conflict if somebody else has since it was read.
    pub fn replace<R: Record>(&mut self, old: &Versioned<R>, new: &R) -> &mut Self {
        self.require(old);
        self.put(&old.scope, old.key.clone(), new, old.lease, &old.secondary)
    }

    /// Removes a record; a conflict if somebody else has changed it since it was read.
    pub fn remove<R: Record>(&mut self, old: &Versioned<R>) -> &mut Self {
        self.require(old);
        self.ops.push(Op::Delete { key: old.key.clone() });
        for secondary in &old.secondary {
            self.ops.push(Op::Delete { key: place_of::<R>(&old.scope, &old.key, secondary) });
        }
        self
    }

    /// Changes nothing; a conflict if somebody else has changed the record since it was read.
    pub fn require<R: Record>(&mut self, read: &Versioned<R>) -> &mut Self {
        self.guard(Guard::Modified(read.key.clone(), read.modified))
    }

    /// Changes nothing; a conflict if there is a record with this id.
    pub fn require_absent<R: Record>(&mut self, scope: &Scope, id: &[&str]) -> &mut Self {
        self.guard(Guard::Absent(record_key::<R>(scope, id)))
    }

    /// Changes nothing; a conflict if there is any record of the kind whose id begins with these segments: a service in
    /// a cluster that is to be deleted.
    pub fn require_none<R: Record>(&mut self, scope: &Scope, id_prefix: &[&str]) -> &mut Self {
        self.guard(Guard::NoneBelow(record_key::<R>(scope, id_prefix)))
    }

    /// Puts a message into a queue.
    pub fn enqueue(
        &mut self,
        queue: impl Into<String>,
        id: impl Into<String>,
        body: Vec<u8>,
        visible_at: Timestamp,
    ) -> &mut Self {
        self.op(Op::Enqueue { queue: queue.into(), id: id.into(), body, visible_at })
    }

    /// Removes a message that was received; a conflict if somebody else has received it since.
    pub fn ack(&mut self, message: &Message) -> &mut Self {
        let (queue, id, receipt) = (message.queue.clone(), message.id.clone(), message.receipt);
        self.guards.push(Guard::Held { queue: queue.clone(), id: id.clone(), receipt });
        self.op(Op::Ack { queue, id, receipt })
    }

    /// Adds a guard of the raw layer.
    pub fn guard(&mut self, guard: Guard) -> &mut Self {
        self.guards.push(guard);
        self
    }

    /// Adds an operation of the raw layer.
    pub fn op(&mut self, op: Op) -> &mut Self {
        self.ops.push(op);
        self
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.failure.is_none()
    }

    fn put<R: Record>(
        &mut self,
        scope: &Scope,
        key: Key,
        record: &R,
        lease: Option<LeaseId>,
        stale: &[SecondaryKey],
    ) -> &mut Self {
        match encode(&key, record) {
            Ok((value, secondary)) => {
                self.put_encoded::<R>(scope, key, value, &secondary, lease, stale);
            }
            Err(error) => self.failure = self.failure.take().or(Some(error)),
        }
        self
    }

    pub(super) fn put_encoded<R: Record>(
        &mut self,
        scope: &Scope,
        key: Key,
        value: Vec<u8>,
        secondary: &[SecondaryKey],
        lease: Option<LeaseId>,
        stale: &[SecondaryKey],
    ) {
        for gone in stale.iter().filter(|it| !secondary.contains(it)) {
            self.ops.push(Op::Delete { key: place_of::<R>(scope, &key, gone) });
        }
        for added in secondary.iter().filter(|it| !stale.contains(it)) {
            let place = place_of::<R>(scope, &key, added);
            if added.unique {
                self.guards.push(Guard::Absent(place.clone()));
            }
            self.ops.push(Op::Put { key: place, value: key.as_str().as_bytes().to_vec(), lease });
        }
        self.ops.push(Op::Put { key, value, lease });
    }

    /// The raw transaction. A key that one change frees and another takes (a unique value that moves between two
    /// records) is written once.
    fn into_txn(self) -> Result<Txn, StoreError> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        let key_of = |op: &Op| match op {
            Op::Put { key, .. } | Op::Delete { key } => Some(key.clone()),
            _ => None,
        };
        let freed: BTreeSet<Key> =
            self.ops.iter().filter(|op| matches!(op, Op::Delete { .. })).filter_map(key_of).collect();
        let taken: BTreeSet<Key> =
            self.ops.iter().filter(|op| matches!(op, Op::Put { .. })).filter_map(key_of).collect();
        let then = self.ops.into_iter().filter(|op| !matches!(op, Op::Delete { key } if taken.contains(key))).collect();
        let mut guards = Vec::with_capacity(self.guards.len());
        for guard in self.guards {
            let freed_here = matches!(&guard, Guard::Absent(key) if freed.contains(key));
            if !freed_here && !guards.contains(&guard) {
                guards.push(guard);
            }
        }
        Ok(Txn { guards, then, otherwise: Vec::new() })
    }
}

/// Where a secondary key lies: a unique one at its value, the others below it, told apart by the record's id.
fn place_of<R: Record>(scope: &Scope, record: &Key, secondary: &SecondaryKey) -> Key {
    let at_value = secondary_key::<R>(scope, &secondary.index, &secondary.value);
    if secondary.unique { at_value } else { at_value.join(record.segments().skip(4)) }
}

impl Store {
    /// Commits a transaction of records.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with the key of the first guard that did not hold, and the errors of [`Store::txn`].
    pub async fn commit(&self, tx: Tx) -> Result<Revision, StoreError> {
        let outcome = self.txn(tx.into_txn()?).await?;
        match outcome.failed {
            Some(key) => Err(StoreError::Conflict { key }),
            None => Ok(outcome.revision),
        }
    }
}
