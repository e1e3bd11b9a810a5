//! Layer archives, read as a stream and within bounds.
//!
//! A reader of our own because the archive is the attack: the `tar` crate gathers names and extended headers of any length
//! in memory, does not know the sparse files of POSIX archives, and without its own handling of extended headers (which
//! one must leave aside to bound them) takes a file's size from the wrong place: whatever lies there is then read as
//! further members (CVE-2025-62518 in another reader). Where archives are ambiguous the choice is that of Go's
//! `archive/tar`, with which Docker, containerd and most builders read layers.
//!
//! Read are V7, ustar, GNU, star and POSIX (PAX) archives with long names, large numbers, extended attributes, and sparse
//! files in all four forms. Global extended headers are passed over, as containerd and Docker do.

mod header;
mod pax;
mod reader;
mod sparse;

pub(crate) use header::Kind;
pub(crate) use reader::{Entry, TarReader};
pub(crate) use sparse::Extent;

use std::io;

/// The longest path: `PATH_MAX` of Linux less the terminating zero.
pub(crate) const PATH_LENGTH_MAX: usize = 4095;
/// The largest extended header or long name, in bytes; the same as Go's.
pub(crate) const EXTENDED_BYTES_MAX: u64 = 1024 * 1024;
/// The most pieces of a sparse file. Go reads up to a million (CVE-2025-58183 was to read any number); files that
/// programs make have some dozens.
pub(crate) const SPARSE_EXTENTS_MAX: usize = 65_536;

/// Why an archive is not to be read any further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TarError {
    /// It ends in the midst of a member.
    #[error("the archive ends too early")]
    Truncated,
    /// A header's checksum is wrong: it is no header.
    #[error("a header's checksum is wrong")]
    Checksum,
    /// A number is none, or has no place where it stands: a negative size.
    #[error("the {0} of a member is no number that it can have")]
    Number(&'static str),
    /// Something is longer or more than is read.
    #[error("the {0} of a member is longer than is read")]
    TooLong(&'static str),
    /// An extended header is malformed.
    #[error("an extended header is malformed: {0}")]
    Extended(&'static str),
    /// The pieces of a sparse file do not fit together.
    #[error("the pieces of a sparse file do not fit together")]
    Sparse,
    /// A member of a kind that has no place in a layer.
    #[error("a member is of type {0:?}, which has no place in a layer")]
    Kind(char),
    /// Something follows the end of the archive.
    #[error("something follows the end of the archive")]
    TrailingData,
    /// What the archive is read from failed.
    #[error("reading the archive failed")]
    Read(#[from] io::Error),
}
