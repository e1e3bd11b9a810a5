//! What is stored, and what happened to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Key;

/// The number of a transaction that changed something: one counter for the whole store, which never goes back. An
/// empty store is at revision 1. Kubernetes's resourceVersion is this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// Where a new store is.
    pub const FIRST: Self = Self(1);

    /// The one after.
    pub(crate) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The one before.
    pub(crate) fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A lease's number; never used twice in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub u64);

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A key and what is stored at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// The value.
    pub value: Vec<u8>,
    /// The revision that created the key, after its last deletion if there was one.
    pub created: Revision,
    /// The revision that wrote this value.
    pub modified: Revision,
    /// How often the key has been written since it was created; 1 for the first.
    pub version: u64,
    /// The lease whose end deletes the key.
    pub lease: Option<LeaseId>,
}

/// One key changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The transaction that changed it.
    pub revision: Revision,
    /// What it did.
    pub kind: EventKind,
    /// What was there before; none if there was nothing.
    pub previous: Option<Entry>,
}

/// What happened to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// It was created or written.
    Put(Entry),
    /// It was deleted.
    Delete(Key),
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Key {
        match &self.kind {
            EventKind::Put(entry) => &entry.key,
            EventKind::Delete(key) => key,
        }
    }
}
