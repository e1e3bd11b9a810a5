//! What can go wrong.

use std::io;
use std::path::PathBuf;

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
