//! What can go wrong with blobs.

use std::io;

use crate::Digest;

/// Why a blob was not written, read or collected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// The disk is full. What was being written is gone; what was there is not.
    #[error("no space is left for blobs")]
    Full,
    /// What was written is not what was announced.
    #[error("the content is {found}, and {expected} was announced")]
    Mismatch {
        /// The digest that was announced.
        expected: Digest,
        /// The digest of what was written.
        found: Digest,
    },
    /// More was written than the writer takes.
    #[error("the content is larger than the {max} bytes that are allowed")]
    TooLarge {
        /// The limit, in bytes.
        max: u64,
    },
    /// The file of a blob does not hold what its name says.
    #[error("the stored blob {digest} is damaged")]
    Damaged {
        /// The blob.
        digest: Digest,
    },
    /// What has a blob's name is no file.
    #[error("what has the name of a blob is no file")]
    NoFile,
    /// What has a blob's name, or the blobs' directory, is somebody else's than it has to be.
    #[error("the blobs there are another user's")]
    NotTheirs,
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl From<BlobError> for io::Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Io { source, .. } => source,
            BlobError::Full => io::ErrorKind::StorageFull.into(),
            other => Self::other(other),
        }
    }
}

impl BlobError {
    /// What an error of the operating system means.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io { doing, source },
        }
    }

    /// The same for rustix's errors.
    pub(crate) fn os(doing: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |error| Self::io(doing)(error.into())
    }
}
