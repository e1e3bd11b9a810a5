//! Where the blobs of an image come from.

use std::io::{self, Read};

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
        let Some(name) = blob.digest.blob() else { return Ok(None) };
        let opened = self.open(&name).map_err(io::Error::other)?;
        Ok(opened.map(|blob| Box::new(blob.into_file()) as Box<dyn Read + Send>))
    }
}

/// The same, written by another user: nothing is made or locked there, and nothing leads out of the directory.
impl BlobSource for blobs::Reader {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        let Some(name) = blob.digest.blob() else { return Ok(None) };
        let opened = self.open(&name).map_err(io::Error::other)?;
        Ok(opened.map(|blob| Box::new(blob.into_file()) as Box<dyn Read + Send>))
    }
}
