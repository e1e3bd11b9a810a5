//! The typed layer: records, which are JSON documents with a version and secondary keys.

mod blobs_of;
mod envelope;
mod read;
mod scope;
mod tx;
mod update;
mod watch;

use std::ops::Deref;

use blobs::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub(crate) use blobs_of::referenced_by;
pub use read::{ListOptions, Listing};
pub use scope::Scope;
pub use tx::Tx;
pub use watch::{Change, RecordWatch};

use crate::{Key, LeaseId, Revision};

/// Something that a service keeps. It lies at `<account>/<region>/<SERVICE>/<KIND>/<id…>`.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The service, as `aws <service>` names it.
    const SERVICE: &'static str;
    /// What it is, in lower case, in the singular: `task-definition`.
    const KIND: &'static str;
    /// The version of its form. Raise it when older documents no longer deserialize, and say in [`Record::migrate`]
    /// how they become new ones.
    const VERSION: u32 = 1;

    /// The key of the record with this id; below it lie those whose ids begin so.
    fn key(scope: &Scope, id: &[&str]) -> Key
    where
        Self: Sized,
    {
        record_key::<Self>(scope, id)
    }

    /// Brings a document of an older version to the present one. It is read so, and written so at its next change.
    ///
    /// # Errors
    /// [`MigrationError`] for a version or document that it does not know.
    fn migrate(from: u32, value: serde_json::Value) -> Result<serde_json::Value, MigrationError> {
        drop(value);
        Err(MigrationError { from, reason: "there is no migration for it".to_owned() })
    }

    /// By what else than its id it can be found. Kept in step with the record, in the same transaction.
    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        Vec::new()
    }

    /// The blobs that it needs. They are noted with it, so that backups take them along and collection leaves them
    /// alone without knowing what kind of record this is. A message in a queue keeps no blob: a record must.
    fn blobs(&self) -> Vec<Digest> {
        Vec::new()
    }
}

/// A document that cannot be brought to the present version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a document of version {from} cannot be read: {reason}")]
pub struct MigrationError {
    /// The document's version.
    pub from: u32,
    /// What is wrong with it.
    pub reason: String,
}

/// A value by which records of a kind can be found within their scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SecondaryKey {
    #[serde(rename = "i")]
    index: String,
    #[serde(rename = "v")]
    value: String,
    #[serde(rename = "u", default, skip_serializing_if = "std::ops::Not::not")]
    unique: bool,
}

impl SecondaryKey {
    /// A value that many records may share: a task's cluster.
    pub fn new(index: &'static str, value: impl Into<String>) -> Self {
        Self { index: index.to_owned(), value: value.into(), unique: false }
    }

    /// A value that one record has: the second one that wants it meets a conflict. Values of one index are either all
    /// unique or none is.
    pub fn unique(index: &'static str, value: impl Into<String>) -> Self {
        Self { unique: true, ..Self::new(index, value) }
    }
}

/// A record as it was read, with what is needed to change it if nobody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record.
    pub value: R,
    /// The segments of its id.
    pub id: Vec<String>,
    /// The account and region that it belongs to.
    pub scope: Scope,
    /// The revision that created it.
    pub created: Revision,
    /// The revision that wrote it.
    pub modified: Revision,
    /// How often it has been written; 1 for the first.
    pub version: u64,
    /// The lease that it ends with.
    pub lease: Option<LeaseId>,
    /// Its key in the store.
    pub key: Key,
    /// The secondary keys that were stored with it.
    pub(crate) secondary: Vec<SecondaryKey>,
}

impl<R> Versioned<R> {
    /// The last segment of the id; the whole id, for most kinds.
    pub fn name(&self) -> &str {
        self.id.last().map_or("", String::as_str)
    }
}

impl<R> Deref for Versioned<R> {
    type Target = R;

    fn deref(&self) -> &R {
        &self.value
    }
}

/// The key below which the records of a kind lie.
pub(crate) fn kind_key<R: Record>(scope: &Scope) -> Key {
    scope.key().child(R::SERVICE).child(R::KIND)
}

/// The key of a record.
pub(crate) fn record_key<R: Record>(scope: &Scope, id: &[&str]) -> Key {
    kind_key::<R>(scope).join(id)
}

/// The key at which a unique value lies, and below which the others do.
///
/// It is beside the kind, not below it: `<kind>@<index>/<value>`, so that listing a kind does not meet its indexes.
pub(crate) fn secondary_key<R: Record>(scope: &Scope, index: &str, value: &str) -> Key {
    scope.key().child(R::SERVICE).child(&format!("{}@{index}", R::KIND)).child(value)
}
