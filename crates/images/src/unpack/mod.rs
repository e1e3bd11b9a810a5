//! One pass over a layer: the blob is hashed and inflated, the archive hashed and written as files, all at once.
//!
//! Two threads share a layer: the first reads, hashes and inflates; the second hashes what came out and writes files. So a
//! single large layer keeps two processors busy. What they write is nobody's yet: only when both hashes are right does the
//! caller give it its name.

mod attributes;
mod inflate;
mod path;
mod policy;
mod tree;
mod zip;

use std::io::{self, BufRead, Read};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

pub(crate) use self::zip::unpack_zip;
pub use policy::{DevicePolicy, Owners, Policy, XattrNamespace};

use crate::digest::Hasher;
use crate::error::is_full;
use crate::image::Layer;
use crate::tar::{Entry, TarError, TarReader};
use crate::zip::ZipError;
use crate::{DiffId, Digest, Limits};

/// How many bytes are handed from thread to thread at a time.
const PIECE_BYTES: usize = 256 * 1024;
/// How many pieces may wait.
const PIECES_MAX: usize = 4;

/// Why a layer is refused or could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The blob is not what its digest says: it was damaged or replaced on its way.
    #[error("the blob is not what was announced: it is {found}")]
    BlobMismatch {
        /// What it is.
        found: Digest,
    },
    /// The blob is shorter or longer than announced.
    #[error("the blob does not have the {announced} bytes that were announced")]
    BlobSize {
        /// In bytes.
        announced: u64,
    },
    /// The blob was what it should be, and its content is not what the configuration says.
    #[error("the uncompressed archive is {found}, and not what the image's configuration says")]
    DiffIdMismatch {
        /// What it is.
        found: DiffId,
    },
    /// The source failed.
    #[error("reading the blob failed")]
    Read(#[source] io::Error),
    /// The compressed data is damaged, ends too early or is followed by something else.
    #[error("the blob cannot be inflated")]
    Inflate(#[source] io::Error),
    /// More comes out than is taken.
    #[error("the layer is larger than is taken: more than {bytes} bytes come out of it")]
    TooLarge {
        /// How many bytes had come out.
        bytes: u64,
    },
    /// The archive is malformed.
    #[error("the archive cannot be read")]
    Archive(#[from] TarProblem),
    /// The zip archive is malformed.
    #[error("the archive cannot be read")]
    Zip(#[from] ZipProblem),
    /// The copy of the archive that is unpacked from could not be made.
    #[error("the archive cannot be copied")]
    Spool(#[source] io::Error),
    /// A member of the archive is refused.
    #[error("the member {path:?} is refused")]
    Member {
        /// Its path, as much of it as is fit to print.
        path: String,
        /// Why.
        source: MemberError,
    },
    /// More files than are taken.
    #[error("the layer has more than {max} files")]
    TooManyEntries {
        /// The limit.
        max: u64,
    },
    /// The disk is full.
    #[error("no space is left for the layer")]
    Full,
    /// Whoever wanted the layer wants it no more.
    #[error("unpacking was stopped")]
    Stopped,
}

/// Why an archive is malformed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TarProblem(#[from] pub(crate) TarError);

/// Why a zip archive is malformed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ZipProblem(#[from] pub(crate) ZipError);

/// Why a member of an archive is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemberError {
    /// Its path, or the path that it links to, leads upwards.
    #[error("a path leads upwards")]
    Upwards,
    /// Its path, or the path that it links to, is too long or has no name in it.
    #[error("a path is no file's name")]
    Name,
    /// It is a file where the root is.
    #[error("the root can only be a directory")]
    Root,
    /// A part of its path is no directory.
    #[error("a part of the path is no directory")]
    NotADirectory,
    /// It hides what no file is called.
    #[error("a whiteout of nothing that could be there")]
    Whiteout,
    /// It is a link to nothing in the layer.
    #[error("a hard link to what is not in the layer")]
    LinkTarget,
    /// It is a device, and devices are refused; or one that overlays take for a whiteout.
    #[error("a device file")]
    Device,
    /// It has an attribute by which an overlay would be told what to show.
    #[error("an attribute that is the overlay's own")]
    OverlayAttribute,
    /// Its owner or group cannot be one.
    #[error("an owner that cannot be one")]
    Owner,
    /// It is longer than files may be.
    #[error("a file of {size} bytes")]
    TooLarge {
        /// In bytes.
        size: u64,
    },
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// What a layer was unpacked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many files, directories and links were written.
    pub entries: u64,
    /// How many bytes the files have, without their holes.
    pub bytes: u64,
    /// How many device files were left out.
    pub devices_omitted: u64,
    /// How many extended attributes were left out.
    pub xattrs_omitted: u64,
}

/// A layer's blob while it is read.
pub(crate) struct Reading<'a> {
    pub(crate) layer: &'a Layer,
    pub(crate) limits: &'a Limits,
    /// Told how many bytes of the blob have been read; answers whether to go on.
    pub(crate) progress: &'a (dyn Fn(u64) -> bool + Sync),
}

/// Where and how a layer is unpacked.
pub(crate) struct Target<'a> {
    /// The directory that becomes the layer's root.
    pub(crate) root: BorrowedFd<'a>,
    /// An empty directory on the same file system, for what is replaced.
    pub(crate) trash: BorrowedFd<'a>,
    pub(crate) policy: &'a Policy,
    pub(crate) limits: &'a Limits,
}

/// Unpacks a blob.
pub(crate) fn unpack(
    reading: &Reading<'_>,
    target: &Target<'_>,
    blob: Box<dyn Read + Send>,
) -> Result<Unpacked, UnpackError> {
    read(reading, blob, |pieces| {
        let mut archive = TarReader::new(pieces);
        let mut tree = tree::Tree::new(target)?;
        while let Some(entry) = archive.next().map_err(TarProblem)? {
            tree.add(&entry, &mut archive)?;
        }
        archive.finish().map_err(TarProblem)?;
        tree.finish()
    })
}

/// Reads a blob and makes sure that it is the layer that it is said to be. Nothing is written.
pub(crate) fn verify(reading: &Reading<'_>, blob: Box<dyn Read + Send>) -> Result<(), UnpackError> {
    read(reading, blob, |pieces| {
        while let length @ 1.. = pieces.fill_buf().map_err(UnpackError::Read)?.len() {
            pieces.consume(length);
        }
        Ok(())
    })
}

/// Reads a blob as [`verify`] does, and shows each member of the archive.
pub(crate) fn look(
    reading: &Reading<'_>,
    blob: Box<dyn Read + Send>,
    mut see: impl FnMut(&Entry),
) -> Result<(), UnpackError> {
    read(reading, blob, |pieces| {
        let mut archive = TarReader::new(pieces);
        while let Some(entry) = archive.next().map_err(TarProblem)? {
            see(&entry);
        }
        Ok(archive.finish().map_err(TarProblem)?)
    })
}

/// Reads a blob, has what comes out of it consumed to its end, and answers what came of that if both digests are right.
fn read<T>(
    reading: &Reading<'_>,
    blob: Box<dyn Read + Send>,
    consume: impl FnOnce(&mut Pieces) -> Result<T, UnpackError>,
) -> Result<T, UnpackError> {
    let (pieces, incoming) = sync_channel(PIECES_MAX);
    let (used, returned) = sync_channel(PIECES_MAX + 2);
    let hopeless = &AtomicBool::new(false);
    thread::scope(|scope| {
        let inflating = scope.spawn(move || inflate::inflate(reading, blob, &pieces, &returned, hopeless));
        let mut pieces = Pieces::new(reading.layer.diff_id, incoming, used);
        let consumed = consume(&mut pieces);
        if let Err(UnpackError::Full | UnpackError::TooManyEntries { .. }) = consumed {
            hopeless.store(true, Ordering::Relaxed);
        }
        let found = pieces.finish();
        let inflated = inflating.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // What is wrong with the blob explains what is wrong with the archive.
        inflated?;
        let consumed = consumed?;
        if found == reading.layer.diff_id { Ok(consumed) } else { Err(UnpackError::DiffIdMismatch { found }) }
    })
}

/// The archive as it comes from the first half.
struct Pieces {
    incoming: Receiver<Vec<u8>>,
    used: SyncSender<Vec<u8>>,
    hasher: Hasher,
    piece: Vec<u8>,
    place: usize,
}

impl Pieces {
    fn new(diff_id: DiffId, incoming: Receiver<Vec<u8>>, used: SyncSender<Vec<u8>>) -> Self {
        let hasher = Hasher::new(diff_id.digest().algorithm());
        Self { incoming, used, hasher, piece: Vec::new(), place: 0 }
    }

    /// The digest of what came; the first half is told that nobody wants more.
    fn finish(self) -> DiffId {
        self.hasher.finish().into()
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.place == self.piece.len() {
            // The end, or a failure, which the first half reports.
            let Ok(piece) = self.incoming.recv() else { return Ok(&[]) };
            self.hasher.update(&piece);
            let used = std::mem::replace(&mut self.piece, piece);
            self.place = 0;
            // If the first half is done, nobody needs it any more.
            let _ = self.used.try_send(used);
        }
        Ok(&self.piece[self.place..])
    }

    fn consume(&mut self, amount: usize) {
        self.place = (self.place + amount).min(self.piece.len());
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

impl MemberError {
    /// What an error of the operating system means.
    fn os(doing: &'static str) -> impl FnOnce(rustix::io::Errno) -> Self {
        move |error| Self::Io { doing, source: error.into() }
    }
}

impl UnpackError {
    /// A member that is refused, or the disk that is full.
    fn member(path: &[u8], source: MemberError) -> Self {
        match source {
            MemberError::Io { source, .. } if is_full(&source) => Self::Full,
            source => Self::Member { path: printable(path), source },
        }
    }
}

/// As much of a path as is fit to print.
fn printable(path: &[u8]) -> String {
    const BYTES_MAX: usize = 200;
    let shown = String::from_utf8_lossy(&path[..path.len().min(BYTES_MAX)]);
    if path.len() > BYTES_MAX { format!("{shown}…") } else { shown.into_owned() }
}
