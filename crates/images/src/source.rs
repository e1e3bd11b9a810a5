//! Where the blobs of an image come from.

use std::io::{self, Read};

use blobs::{Blob, BlobError, LongDigest};

use crate::Descriptor;

/// A place that has blobs: the registry's own files, or a registry somewhere. What it gives is never trusted: it is
/// verified while it is read.
pub trait BlobSource: Sync {
    /// Opens a blob at its beginning; none if it is not there.
    ///
    /// # Errors
    /// What reading it later may fail with, too: it goes to whoever asked for the image.
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>>;
}

/// Blobs that lie on this machine already: no byte is copied to pull them.
impl BlobSource for blobs::Blobs {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        opened(blob, |digest| self.open(digest), |long| self.open_long(long))
    }
}

/// The same, written by another user: nothing is made or locked there, and nothing leads out of the directory.
impl BlobSource for blobs::Reader {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        opened(blob, |digest| self.open(digest), |long| self.open_long(long))
    }
}

/// Opens a blob by whichever digest its descriptor has.
fn opened(
    blob: &Descriptor,
    by_digest: impl FnOnce(&blobs::Digest) -> Result<Option<Blob>, BlobError>,
    by_long: impl FnOnce(&LongDigest) -> Result<Option<Blob>, BlobError>,
) -> io::Result<Option<Box<dyn Read + Send>>> {
    let opened = match (blob.digest.blob(), blob.digest.long_blob()) {
        (Some(digest), _) => by_digest(&digest),
        (None, Some(long)) => by_long(&long),
        (None, None) => Ok(None),
    };
    Ok(opened.map_err(io::Error::other)?.map(|blob| Box::new(blob.into_file()) as Box<dyn Read + Send>))
}
