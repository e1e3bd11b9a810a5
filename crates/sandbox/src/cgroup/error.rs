//! What goes wrong with cgroups.

use std::io;
use std::path::Path;

/// What went wrong with a cgroup.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused.
    #[error("{doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what; a path of the host.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A limit that this host cannot keep. Nothing is half limited: the group was not made, or not changed.
    #[error("{limit} cannot be limited on this host: {reason}")]
    Unsupported {
        /// Which.
        limit: &'static str,
        /// Why, for a person.
        reason: String,
    },
    /// A limit that no host can keep.
    #[error("{limit} cannot be {value}: {reason}")]
    Invalid {
        /// Which.
        limit: &'static str,
        /// What was asked for.
        value: String,
        /// Why, for a person.
        reason: &'static str,
    },
    /// Not 1 to [`super::NAME_BYTES_MAX`] letters, digits, `-`, `_` and `.`, or it begins with a `.`, or is a control file's.
    #[error("{name:?} is no name of a cgroup")]
    Name {
        /// What was given.
        name: String,
    },
    /// There is no such group.
    #[error("there is no cgroup {path}")]
    Absent {
        /// Which, beneath the node's own.
        path: String,
    },
    /// Processes did not go, or did not stop, in time.
    #[error("processes of the cgroup {path} {still} after {waited_ms} ms")]
    Busy {
        /// Which, beneath the node's own.
        path: String,
        /// What they do: are there, run.
        still: &'static str,
        /// How long was waited, in milliseconds.
        waited_ms: u64,
    },
    /// No cgroup file system is mounted in which groups can be made.
    #[error("no cgroups can be made here: {reason}")]
    NoHierarchy {
        /// Why, for a person.
        reason: String,
    },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(rustix::io::Errno) -> Self {
        let path = path.as_ref().display().to_string();
        move |source| Self::Io { doing, path, source: source.into() }
    }
}
