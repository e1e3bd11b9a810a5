//! Zip archives (PKWARE's APPNOTE 6.3), read by their central directory and within bounds.
//!
//! A reader of our own because the archive is the attack: whatever it says is checked against what is there before anything is
//! reserved or written, and what could be read as two things is refused: a member whose own header names another file than the
//! directory, a directory that is not where it is said to be, a second disk. Encrypted members, and such as are compressed otherwise
//! than by deflate, cannot be unpacked and are refused, too.

mod content;
mod directory;
mod mode;
#[cfg(test)]
mod tests;

use std::io;

pub(crate) use content::Content;
pub(crate) use directory::members;

/// The longest directory, in bytes. Entries of 200 bytes, as many as there can be, fit.
const DIRECTORY_BYTES_MAX: u64 = 64 << 20;

/// Why a zip archive is not to be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ZipError {
    /// There is no end of a central directory, where every zip archive has one.
    #[error("it is no zip archive: the end of its directory is missing")]
    NotAZip,
    /// It goes on in other files.
    #[error("it is a part of an archive of several parts")]
    SeveralParts,
    /// Something is not where it is said to be, or shorter or longer than it is said to be.
    #[error("it is damaged: {0}")]
    Damaged(&'static str),
    /// The directory is longer than is read, or names more members than there may be.
    #[error("its directory is longer than is read")]
    DirectoryTooLong,
    /// A member is encrypted.
    #[error("a member is encrypted")]
    Encrypted,
    /// A member is compressed in a way that is not known.
    #[error("a member is compressed by method {0}, and only stored and deflated ones are read")]
    Method(u16),
    /// A member is neither a file, a directory nor a symbolic link.
    #[error("a member is neither a file, a directory nor a symbolic link")]
    Kind,
    /// The content of a member is not what its checksum says.
    #[error("the content of a member is not what its checksum says")]
    Checksum,
    /// Reading it failed.
    #[error("reading the archive failed")]
    Read(#[source] io::Error),
}

/// A member, as the directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// As it stands in the directory.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permissions without set-id and sticky bits, which Info-ZIP's `unzip` leaves out, too.
    pub(crate) mode: u32,
    /// Seconds since 1970.
    pub(crate) mtime: i64,
    /// How many bytes come out of it.
    pub(crate) size: u64,
    packed_size: u64,
    is_deflated: bool,
    crc: u32,
    /// Where its own header is.
    header: u64,
}

/// What a member becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
}

/// Bytes that can be read from anywhere.
pub(crate) trait ReadAt {
    /// Fills the buffer from a place on.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }
}

/// What is read of bytes that are not there is an archive that is damaged.
fn read(from: &impl ReadAt, buffer: &mut [u8], offset: u64) -> Result<(), ZipError> {
    from.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ZipError::Damaged("it ends too early"),
        _ => ZipError::Read(error),
    })
}

/// Numbers of a record, little-endian as all of them are. What is beyond the record is 0: records are read whole.
struct Record<'a>(&'a [u8]);

impl Record<'_> {
    fn u16(&self, at: usize) -> u16 {
        self.bytes(at).map_or(0, u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> u32 {
        self.bytes(at).map_or(0, u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> u64 {
        self.bytes(at).map_or(0, u64::from_le_bytes)
    }

    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }
}
