//! Archives that are no layers: unpacked once, kept and mounted as layers are.

use crate::{Algorithm, DiffId, Digest};

/// What comes before an archive's digest in what its name in the store is made from.
const KIND: &str = "zip/1 ";

/// What an archive is called among the layers of a store, once [`Store::prepare_archive`](crate::Store::prepare_archive) has
/// unpacked it. It is the digest of no archive: one that can be read as both a layer and this keeps both apart.
pub fn archive_layer(archive: &Digest) -> DiffId {
    Digest::of(Algorithm::Sha256, format!("{KIND}{archive}").as_bytes()).into()
}
