//! What goes wrong with disks.

use std::io;
use std::path::Path;

/// What went wrong with a directory of limited size.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// This host can limit no directory.
    #[error("the size of a directory cannot be limited on this host: {reason}")]
    Unsupported {
        /// Why, for a person.
        reason: String,
    },
    /// Not 1 to [`super::NAME_BYTES_MAX`] letters, digits, `-`, `_` and `.`, or it begins with a `.`.
    #[error("{name:?} is no name of a directory of limited size")]
    Name {
        /// What was given.
        name: String,
    },
    /// There is one of this name already.
    #[error("there is a directory {name} of limited size already")]
    Exists {
        /// Which.
        name: String,
    },
    /// Less than [`super::BYTES_MIN`] or more than [`super::BYTES_MAX`].
    #[error("a directory cannot be limited to {bytes} bytes: 1 MiB to 16 TiB are possible")]
    Size {
        /// What was asked for.
        bytes: u64,
    },
    /// The program that makes file systems failed.
    #[error("mke2fs failed ({status}): {message}")]
    Format {
        /// How it ended.
        status: String,
        /// What it said last.
        message: String,
    },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| Self::Io { doing, path, source: source.into() }
    }

    pub(super) fn std(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| Self::Io { doing, path, source }
    }
}
