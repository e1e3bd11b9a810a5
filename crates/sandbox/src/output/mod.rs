//! What containers print: kept by their shim in files of bounded size, read by anybody, also while it is written.
//!
//! A *position* is how many bytes the container had printed before, to both streams together and since the first time that it
//! was started: it never goes back, not even when the container is made anew. What is overwritten is found out by comparing
//! positions, exactly.
//!
//! `output/<container>/` in the workload's directory holds segments, each named by the position of its first byte (16
//! hexadecimal digits). A segment is only ever appended to; when it is full the next begins, and the oldest are removed. A
//! reader never reads what is overwritten: it reads a file to its end, even one that is not there any more, and goes on with
//! the next. A segment is a sequence of records:
//!
//! ```text
//! 0xA1 or 0xA2 (output, errors) · 3 zeros · length (4 bytes) · nanoseconds since 1970 (8 bytes) · the bytes       little endian
//! ```
//!
//! A record that is not all there is on its way, or will never be if a further segment follows.

mod reader;
mod record;
mod writer;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Dir, Mode, OFlags, openat};

pub use reader::{Piece, Pieces, Reader};
pub use writer::Writer;

/// Where the outputs of a workload's containers are, in its directory.
const OUTPUT_DIRECTORY: &str = "output";
/// How long a segment's name is.
const SEGMENT_NAME_LENGTH: usize = 16;
/// The longest name of a container, in bytes: it is a file's.
const NAME_BYTES_MAX: usize = 255;

/// Where something was printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, and everything of a terminal.
    Output,
    /// Standard error.
    Errors,
}

impl Stream {
    /// 1 or 2.
    pub fn number(self) -> u8 {
        match self {
            Self::Output => 1,
            Self::Errors => 2,
        }
    }
}

/// Whether a container's name can be a file's.
pub(crate) fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name != "." && name != ".." && !name.contains(['/', '\0'])
}

/// The positions at which segments begin, in order.
fn segments(directory: &OwnedFd) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in Dir::read_from(directory)? {
        if let Some(start) = entry?.file_name().to_str().ok().and_then(segment_start) {
            starts.push(start);
        }
    }
    starts.sort_unstable();
    Ok(starts)
}

fn segment_start(name: &str) -> Option<u64> {
    let is_one =
        name.len() == SEGMENT_NAME_LENGTH && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_one { u64::from_str_radix(name, 16).ok() } else { None }
}

fn segment_name(start: u64) -> String {
    format!("{start:016x}")
}

/// Opens a directory in another without following links.
fn open_directory(at: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(at, name, flags, Mode::empty())?)
}

#[cfg(test)]
mod tests;
