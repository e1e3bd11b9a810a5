//! A part of a file on its way into an answer.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use rustix::io::{Errno, ReadWriteFlags};
use tokio::task::JoinHandle;

use super::activity::Open;
use super::link::Link;

/// What is read of a file, piece by piece, while it is sent.
///
/// What the system has in memory is copied at once; what it has to fetch is read on a thread that may wait.
#[derive(Debug)]
pub(super) struct FilePieces {
    file: Arc<File>,
    rest: Range<u64>,
    piece_bytes_max: usize,
    /// What pieces are cut from: its memory is used again once the last piece has been sent.
    buffer: BytesMut,
    reading: Option<Reading>,
    link: Arc<Link>,
}

#[derive(Debug)]
struct Reading {
    piece: JoinHandle<io::Result<BytesMut>>,
    /// Waiting for the disk is no idleness of the client.
    _open: Open,
}

impl FilePieces {
    /// The bytes of `range`, in pieces of at most `piece_bytes_max`.
    pub(super) fn new(file: File, range: Range<u64>, piece_bytes_max: usize, link: Arc<Link>) -> Self {
        let (file, buffer) = (Arc::new(file), BytesMut::new());
        Self { file, rest: range, piece_bytes_max, buffer, reading: None, link }
    }

    /// How much has not been handed out yet.
    pub(super) fn remaining(&self) -> u64 {
        self.rest.end.saturating_sub(self.rest.start)
    }

    /// The next piece, never empty; none at the end.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.remaining() == 0 {
            return Poll::Ready(Ok(None));
        }
        let piece = match &mut self.reading {
            None => self.read_at_once()?,
            Some(_) => None,
        };
        let piece = match piece {
            Some(piece) => piece,
            None => ready!(self.poll_read(context))?,
        };
        self.rest.start += piece.len() as u64;
        self.link.activity.moved();
        Poll::Ready(Ok(Some(piece.freeze())))
    }

    fn next_length(&self) -> usize {
        usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(self.piece_bytes_max)
    }

    /// A piece, if at least its beginning is in memory.
    fn read_at_once(&mut self) -> io::Result<Option<BytesMut>> {
        let length = self.next_length();
        self.buffer.clear();
        self.buffer.resize(length, 0);
        let slices = &mut [IoSliceMut::new(&mut self.buffer)];
        match rustix::io::preadv2(&*self.file, slices, self.rest.start, ReadWriteFlags::NOWAIT) {
            Ok(0) => Err(cut_short()),
            Ok(count) => Ok(Some(self.buffer.split_to(count))),
            // Not in memory, or a file system that cannot tell.
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for a piece that is read elsewhere.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
        let (length, start) = (self.next_length(), self.rest.start);
        let reading = self.reading.get_or_insert_with(|| {
            let (file, mut buffer) = (self.file.clone(), std::mem::take(&mut self.buffer));
            let piece = tokio::task::spawn_blocking(move || {
                buffer.resize(length, 0);
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer)
            });
            Reading { piece, _open: self.link.activity.begin() }
        });
        let piece = ready!(Pin::new(&mut reading.piece).poll(context));
        self.reading = None;
        Poll::Ready(piece.map_err(io::Error::other)?)
    }
}

/// A file that had more when its length was told.
fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was")
}
