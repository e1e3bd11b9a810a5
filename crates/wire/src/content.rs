//! The bytes of a member that streams: an object on its way in or out, of which little is in memory at any time.
//!
//! A [`Content`] is a handle. It is made by whoever has the bytes, travels in a generated structure like any other member,
//! and gives its bytes once: to a [`ContentReader`], or to the connection that sends an answer. What comes from a client is
//! verified while it is read; see [`ContentReader::next`] for what that means to whoever stores it.

mod reader;

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::serve::BoxFuture;
use crate::serve::incoming::Incoming;

pub use reader::{ContentError, ContentReader, Trailers};

/// A part of a file that nobody changes any more.
#[derive(Debug, Clone)]
pub struct FileRange {
    /// The file.
    pub file: Arc<File>,
    /// From where to where, in bytes.
    pub range: Range<u64>,
}

/// Parts of files, opened one after the other: an object of ten thousand parts must not need as many descriptors.
pub trait FileSequence: Send + 'static {
    /// The next part; none at the end.
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<FileRange>>>;
}

/// Bytes that are made while they are sent.
pub trait Pieces: Send + 'static {
    /// The next piece, never empty; none at the end.
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>>;
}

/// The bytes of a member that streams.
#[derive(Clone, Default)]
pub struct Content(Option<Arc<Shared>>);

struct Shared {
    length: Option<u64>,
    /// None once somebody has taken it.
    source: Mutex<Option<Source>>,
}

/// Where the bytes are.
pub(crate) enum Source {
    Bytes(Bytes),
    Files(Box<dyn FileSequence>),
    Pieces(Box<dyn Pieces>),
    Incoming(Box<Incoming>),
}

impl Content {
    /// No bytes at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Bytes that are in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(Some(bytes.len() as u64), Source::Bytes(bytes))
    }

    /// Parts of files that are open, one after the other.
    pub fn files(parts: Vec<FileRange>) -> Self {
        let length = parts.iter().map(|part| part.range.end.saturating_sub(part.range.start)).sum();
        Self::sequence(length, Opened(parts.into_iter()))
    }

    /// Parts of files that are opened when it is their turn, `length` bytes in all.
    pub fn sequence(length: u64, files: impl FileSequence) -> Self {
        Self::new(Some(length), Source::Files(Box::new(files)))
    }

    /// Bytes that are made while they are sent, `length` of them if that is known.
    pub fn pieces(length: Option<u64>, pieces: impl Pieces) -> Self {
        Self::new(length, Source::Pieces(Box::new(pieces)))
    }

    /// What a client sends.
    pub(crate) fn incoming(incoming: Incoming) -> Self {
        Self::new(incoming.declared_length(), Source::Incoming(Box::new(incoming)))
    }

    /// How many bytes there are, as far as that is known before they are read.
    pub fn length(&self) -> Option<u64> {
        self.0.as_ref().map_or(Some(0), |shared| shared.length)
    }

    /// Takes the bytes to read them. Whoever comes second finds none.
    pub fn into_reader(self) -> ContentReader {
        let length = self.length();
        ContentReader::new(self.take(), length)
    }

    fn new(length: Option<u64>, source: Source) -> Self {
        Self(Some(Arc::new(Shared { length, source: Mutex::new(Some(source)) })))
    }

    /// Takes the bytes, wherever they are.
    pub(crate) fn take(self) -> Option<Source> {
        self.0.and_then(|shared| shared.source.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length() {
            Some(length) => write!(f, "Content({length} bytes)"),
            None => f.write_str("Content(of unknown length)"),
        }
    }
}

/// Whether both are one and the same; contents are not compared.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Content {}

/// Files that are open already.
struct Opened(std::vec::IntoIter<FileRange>);

impl FileSequence for Opened {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<FileRange>>> {
        let next = self.0.next();
        Box::pin(async move { Ok(next) })
    }
}

#[cfg(test)]
mod tests;
