//! What can go wrong.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::GroupKey;

/// Why events were not stored or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk is full or does not write. Nothing of the batch is stored; it is counted as dropped.
    #[error("no space is left for events")]
    Full {
        /// What the operating system said.
        source: io::Error,
    },
    /// The operating system refused something else.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another process has the directory open.
    #[error("`{}` is in use by another process", .0.display())]
    Locked(PathBuf),
    /// An id of a group that cannot be one.
    #[error("`{0}` is not an id of a group")]
    InvalidGroup(String),
    /// A name of a stream that is empty or longer than [`crate::STREAM_NAME_LENGTH_MAX`].
    #[error("a stream's name has 1 to {} bytes", crate::STREAM_NAME_LENGTH_MAX)]
    InvalidStream,
    /// A batch of more than [`crate::BATCH_EVENTS_MAX`] events or [`crate::BATCH_BYTES_MAX`] bytes.
    #[error("a batch has at most {} events and {} bytes", crate::BATCH_EVENTS_MAX, crate::BATCH_BYTES_MAX)]
    TooLarge,
    /// Bytes that are no cursor.
    #[error("this is no cursor of ours")]
    InvalidCursor,
    /// The group has been deleted.
    #[error("group {0} has been deleted")]
    Deleted(GroupKey),
    /// The store has been closed.
    #[error("the store of events is closed")]
    Closed,
}

impl Error {
    /// What an error of the operating system means.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| if is_full(&source) { Self::Full { source } } else { Self::Io { doing, source } }
    }

    /// What an error while writing events means.
    pub(crate) fn write(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| {
            let is_broken = [Errno::IO, Errno::ROFS].iter().any(|it| source.raw_os_error() == Some(it.raw_os_error()));
            if is_broken { Self::Full { source } } else { Self::io(doing)(source) }
        }
    }

    /// The meaning of one of rustix's errors.
    pub(crate) fn os(doing: &'static str) -> impl FnOnce(Errno) -> Self {
        move |error| Self::io(doing)(error.into())
    }

    /// The same error for each of those whom it concerns.
    pub(crate) fn again(&self) -> Self {
        let copy = |source: &io::Error| match source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => source.kind().into(),
        };
        match self {
            Self::Full { source } => Self::Full { source: copy(source) },
            Self::Io { doing, source } => Self::Io { doing, source: copy(source) },
            Self::Locked(path) => Self::Locked(path.clone()),
            Self::InvalidGroup(id) => Self::InvalidGroup(id.clone()),
            Self::InvalidStream => Self::InvalidStream,
            Self::TooLarge => Self::TooLarge,
            Self::InvalidCursor => Self::InvalidCursor,
            Self::Deleted(group) => Self::Deleted(group.clone()),
            Self::Closed => Self::Closed,
        }
    }
}

/// A disk without room.
fn is_full(error: &io::Error) -> bool {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
    full.contains(&error.kind())
}
