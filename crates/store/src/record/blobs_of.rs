//! Which blobs are needed.

use std::collections::BTreeSet;

use blobs::Digest;
use serde::Deserialize;

use super::envelope::unreadable;
use crate::{Entry, Key, Range, Store, StoreError};

/// The part of a record's envelope that names blobs.
#[derive(Deserialize)]
struct References {
    #[serde(rename = "b", default)]
    blobs: Vec<Digest>,
}

/// The blobs that an entry needs. What is no record needs none.
///
/// # Errors
/// [`StoreError::Record`] for a record that cannot be read: its blobs are not known, so they must not be lost.
pub(crate) fn referenced_by(key: &Key, value: &[u8]) -> Result<Vec<Digest>, StoreError> {
    if value.first() != Some(&b'{') {
        return Ok(Vec::new());
    }
    let references: References = serde_json::from_slice(value).map_err(|error| unreadable(key, error))?;
    Ok(references.blobs)
}

impl Store {
    /// The blobs that any record needs (see [`Record::blobs`](crate::Record::blobs)): what collection must keep. It reads
    /// everything, page by page; what is written meanwhile may be missing, and is kept by collection's grace.
    pub async fn referenced_blobs(&self) -> Result<BTreeSet<Digest>, StoreError> {
        let mut blobs = BTreeSet::new();
        let mut range = Range::prefix(&Key::root());
        loop {
            let page = self.range(range.clone()).await?;
            for Entry { key, value, .. } in &page.entries {
                blobs.extend(referenced_by(key, value)?);
            }
            match page.entries.last().filter(|_| page.more) {
                Some(last) => range = range.after(&last.key),
                None => return Ok(blobs),
            }
        }
    }
}
