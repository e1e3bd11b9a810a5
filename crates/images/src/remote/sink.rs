//! Where blobs go, and who watches.

use std::io::{self, Read};
use std::time::Duration;

use super::RemoteError;
use crate::{BlobSource, Descriptor, Digest};

/// Where blobs go. Its calls block on the disk: they are made on blocking threads.
///
/// What it is given with [`Partial::finish`] has been compared with its digest: it need not hash. What it says to have is
/// believed.
pub trait Sink: BlobSource + Send {
    /// Whether a blob is there whole; from then on it must stay until whoever asked for the image has recorded it.
    ///
    /// # Errors
    /// What the disk says: the pull fails with it.
    fn has(&self, blob: &Descriptor) -> io::Result<bool>;

    /// Begins a blob, or goes on with what an earlier attempt has left of it.
    ///
    /// # Errors
    /// What the disk says: the pull fails with it.
    fn begin(&self, blob: &Descriptor) -> io::Result<Box<dyn Partial>>;
}

/// A blob on its way. Dropping it keeps what is there, to go on with another time.
pub trait Partial: Send {
    /// How many bytes are there, in bytes from the beginning of the blob.
    fn length(&self) -> u64;

    /// Reads what is there from the beginning, to hash it.
    ///
    /// # Errors
    /// What the disk says.
    fn reread(&mut self) -> io::Result<Box<dyn Read + '_>>;

    /// Adds bytes.
    ///
    /// # Errors
    /// What the disk says; [`io::ErrorKind::StorageFull`] if it is full.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Throws away what is there: it turned out to be something else.
    ///
    /// # Errors
    /// What the disk says.
    fn clear(&mut self) -> io::Result<()>;

    /// Makes it a blob of this digest, which it has been found to have. When this returns it is on disk.
    ///
    /// # Errors
    /// What the disk says.
    fn finish(self: Box<Self>, digest: &Digest) -> io::Result<()>;
}

/// Follows an image on its way. Called from several threads.
pub trait Progress: Send + Sync {
    /// A blob belongs to the image. All of an image's layers are told of before the first of them begins.
    fn planned(&self, blob: &Descriptor) {
        let _ = blob;
    }

    /// So many bytes of a blob are there by now, from its beginning. It may fall back to less when what came was wrong.
    fn advanced(&self, blob: &Descriptor, bytes_done: u64) {
        let _ = (blob, bytes_done);
    }

    /// A blob is there.
    fn finished(&self, blob: &Descriptor, arrival: Arrival) {
        let _ = (blob, arrival);
    }

    /// Something went wrong and is tried again after a while, here or elsewhere.
    fn retrying(&self, error: &RemoteError, wait: Duration) {
        let _ = (error, wait);
    }
}

/// Nobody watches.
impl Progress for () {}

/// How a blob came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It was there before.
    Present,
    /// It came.
    Fetched {
        /// How many bytes of it had been kept from an attempt of earlier, another process's perhaps.
        resumed_bytes: u64,
    },
}

/// An image whose blobs are all in the sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where it began: an index, or the manifest.
    pub root: Descriptor,
    /// The manifest for the platform.
    pub manifest: Descriptor,
    /// Its configuration.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// All blobs that it needs, each once: the root, indexes on the way, manifest, configuration and layers.
    pub blobs: Vec<Descriptor>,
    /// How many bytes came over the network for it.
    pub moved_bytes: u64,
}
