//! How a record is written: `{"v": version, "k": [secondary keys], "b": [blobs], "r": document}`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Record, Scope, SecondaryKey, Versioned};
use crate::{Entry, Key, StoreError};

#[derive(Serialize)]
struct Written<'a, R> {
    v: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    k: &'a [SecondaryKey],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    b: Vec<blobs::Digest>,
    r: &'a R,
}

#[derive(Deserialize)]
struct Read<'a> {
    v: u32,
    #[serde(default)]
    k: Vec<SecondaryKey>,
    #[serde(borrow)]
    r: &'a RawValue,
}

/// A record's bytes, and the secondary keys that are noted in them: what is stored now is what a later program
/// removes, even if it would compute others.
pub(crate) fn encode<R: Record>(key: &Key, record: &R) -> Result<(Vec<u8>, Vec<SecondaryKey>), StoreError> {
    let mut secondary = record.secondary_keys();
    secondary.sort();
    secondary.dedup();
    let written = Written { v: R::VERSION, k: &secondary, b: record.blobs(), r: record };
    let bytes = serde_json::to_vec(&written).map_err(|error| unreadable(key, error))?;
    Ok((bytes, secondary))
}

/// The record in an entry.
pub(crate) fn decode<R: Record>(entry: &Entry) -> Result<Versioned<R>, StoreError> {
    let read: Read<'_> = serde_json::from_slice(&entry.value).map_err(|error| unreadable(&entry.key, error))?;
    let value = if read.v == R::VERSION {
        serde_json::from_str(read.r.get()).map_err(|error| unreadable(&entry.key, error))?
    } else {
        migrated(&entry.key, &read)?
    };
    let scope = Scope::of(&entry.key).ok_or_else(|| unreadable(&entry.key, "its key names no account and region"))?;
    Ok(Versioned {
        value,
        id: entry.key.segments().skip(4).map(std::borrow::Cow::into_owned).collect(),
        scope,
        created: entry.created,
        modified: entry.modified,
        version: entry.version,
        lease: entry.lease,
        key: entry.key.clone(),
        secondary: read.k,
    })
}

fn migrated<R: Record>(key: &Key, read: &Read<'_>) -> Result<R, StoreError> {
    if read.v > R::VERSION {
        let reason = format!("it has version {}, and this program knows versions up to {}", read.v, R::VERSION);
        return Err(unreadable(key, reason));
    }
    let old = serde_json::from_str(read.r.get()).map_err(|error| unreadable(key, error))?;
    let new = R::migrate(read.v, old).map_err(|error| unreadable(key, error))?;
    serde_json::from_value(new).map_err(|error| unreadable(key, error))
}

pub(crate) fn unreadable(key: &Key, reason: impl ToString) -> StoreError {
    StoreError::Record { key: key.clone(), reason: reason.to_string() }
}
