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
use super::window::{WINDOW_BYTES_MAX, Windows, cut_short};

/// How much of a file is read at once for HTTP/1. One piece is with the connection, one on its way to it.
const PIECE_BYTES_MAX: usize = 128 * 1024;
/// How much of a file is read at once for a stream of HTTP/2, of which a connection has many.
const STREAM_PIECE_BYTES_MAX: usize = 32 * 1024;
/// What is not longer is read even where the socket could send it: it goes out with the answer's head in one write.
const READ_BYTES_MAX: u64 = 32 * 1024;
/// How far apart it is looked whether a file is in memory.
const PROBE_STEP: usize = 128 * 1024;

/// How a file gets into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// The socket sends it; nobody reads it.
    Socket,
    /// It is read for a connection of HTTP/1.
    Read,
    /// It is read for a stream of HTTP/2.
    ReadForStream,
}

/// What is sent of a file, piece by piece.
///
/// What the system has in memory is taken at once; what it has to fetch is fetched by a thread that may wait.
#[derive(Debug)]
pub(super) struct FilePieces {
    file: Arc<File>,
    rest: Range<u64>,
    way: Way,
    /// What pieces are cut from: its memory is used again once the last piece has been sent.
    buffer: BytesMut,
    fetching: Option<Fetching>,
    link: Arc<Link>,
}

/// What a thread that may wait does.
#[derive(Debug)]
struct Fetching {
    /// What it has read, of what is read.
    piece: JoinHandle<io::Result<BytesMut>>,
    /// Waiting for the disk is no idleness of the client.
    _open: Open,
}

impl FilePieces {
    /// The bytes of `range`, which end early with an error if the file does.
    pub(super) fn new(file: Arc<File>, range: Range<u64>, is_http_1: bool, link: Arc<Link>) -> Self {
        let is_long = range.end.saturating_sub(range.start) > READ_BYTES_MAX;
        let way = match link.windows() {
            Some(_) if is_http_1 && is_long => Way::Socket,
            _ if is_http_1 => Way::Read,
            _ => Way::ReadForStream,
        };
        Self { file, rest: range, way, buffer: BytesMut::new(), fetching: None, link }
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
        let link = self.link.clone();
        let piece = match (self.way, link.windows()) {
            (Way::Socket, Some(windows)) => ready!(self.poll_window(windows, context))?,
            _ => ready!(self.poll_read(context))?,
        };
        self.rest.start += piece.len() as u64;
        Poll::Ready(Ok(Some(piece)))
    }

    fn next_length(&self) -> usize {
        let max = match self.way {
            Way::Socket => WINDOW_BYTES_MAX,
            Way::Read => PIECE_BYTES_MAX,
            Way::ReadForStream => STREAM_PIECE_BYTES_MAX,
        };
        usize::try_from(self.remaining()).unwrap_or(usize::MAX).min(max)
    }

    /// The stand-in of a part that the socket sends, once that part is in memory.
    fn poll_window(&mut self, windows: &Windows, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let (length, start) = (self.next_length(), self.rest.start);
        if self.fetching.is_none() && !is_in_memory(&self.file, start, length) {
            let file = self.file.clone();
            self.fetch(move || warm(&file, start, length).map(|()| BytesMut::new()));
        }
        if self.fetching.is_some() {
            ready!(self.poll_fetched(context))?;
        }
        Poll::Ready(Ok(windows.open(self.file.clone(), start, length)))
    }

    /// A part as it is read.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let (length, start) = (self.next_length(), self.rest.start);
        if self.fetching.is_none() {
            self.buffer.clear();
            self.buffer.resize(length, 0);
            let count = read_from_memory(&self.file, &mut self.buffer, start)?;
            if count > 0 {
                self.link.activity.moved();
                return Poll::Ready(Ok(self.buffer.split_to(count).freeze()));
            }
            let (file, mut piece) = (self.file.clone(), std::mem::take(&mut self.buffer));
            self.fetch(move || file.read_exact_at(&mut piece, start).map(|()| piece));
        }
        let piece = ready!(self.poll_fetched(context))?;
        self.link.activity.moved();
        Poll::Ready(Ok(piece.freeze()))
    }

    fn fetch(&mut self, fetch: impl FnOnce() -> io::Result<BytesMut> + Send + 'static) {
        let piece = tokio::task::spawn_blocking(fetch);
        self.fetching = Some(Fetching { piece, _open: self.link.activity.begin() });
    }

    fn poll_fetched(&mut self, context: &mut Context<'_>) -> Poll<io::Result<BytesMut>> {
        let Some(fetching) = &mut self.fetching else { return Poll::Ready(Ok(BytesMut::new())) };
        let piece = ready!(Pin::new(&mut fetching.piece).poll(context)).map_err(io::Error::other).flatten();
        self.fetching = None;
        Poll::Ready(piece.inspect_err(|error| tracing::error!(%error, "a file could not be read while it was sent")))
    }
}

/// Reads what the system has in memory; nothing where it has nothing there, or cannot tell.
fn read_from_memory(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    match rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], position, ReadWriteFlags::NOWAIT) {
        Ok(0) => Err(cut_short()),
        Ok(count) => Ok(count),
        Err(Errno::AGAIN | Errno::INTR | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Whether a part of a file seems to be in memory, so that sending it keeps nobody waiting for a disk.
fn is_in_memory(file: &File, start: u64, length: usize) -> bool {
    let mut probes = (0..length).step_by(PROBE_STEP).chain([length - 1]);
    probes.all(|at| read_from_memory(file, &mut [0], start + at as u64).is_ok_and(|count| count > 0))
}

/// Has a part of a file brought into memory, and what follows begun with.
fn warm(file: &File, start: u64, length: usize) -> io::Result<()> {
    let mut thrown_away = vec![0; PROBE_STEP.min(length)];
    let (mut position, end) = (start, start + length as u64);
    // Advice: without it the next part comes later.
    let following = std::num::NonZeroU64::new(WINDOW_BYTES_MAX as u64);
    let _ = rustix::fs::fadvise(file, end, following, rustix::fs::Advice::WillNeed);
    while position < end {
        let step = usize::try_from(end - position).unwrap_or(usize::MAX).min(thrown_away.len());
        file.read_exact_at(&mut thrown_away[..step], position)?;
        position += step as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(length: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; length]).unwrap();
        file
    }

    #[test]
    fn what_was_just_written_is_in_memory() {
        let file = file(3 * PROBE_STEP);
        assert!(is_in_memory(&file, 0, 3 * PROBE_STEP) && is_in_memory(&file, 17, 1));
    }

    #[test]
    fn what_is_missing_is_neither_in_memory_nor_fetched() {
        let file = file(PROBE_STEP + 10);
        assert!(!is_in_memory(&file, 0, PROBE_STEP + 11));
        warm(&file, 5, PROBE_STEP + 5).unwrap();
        assert_eq!(warm(&file, 5, PROBE_STEP + 6).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(read_from_memory(&file, &mut [0; 4], 1 << 20).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn pieces_are_as_long_as_their_way_allows() {
        for (is_http_1, link, longest) in [
            (true, Link::plain(), WINDOW_BYTES_MAX),
            (true, Link::default(), PIECE_BYTES_MAX),
            (false, Link::plain(), STREAM_PIECE_BYTES_MAX),
        ] {
            let mut pieces = FilePieces::new(Arc::new(file(2_000_000)), 1..1_999_999, is_http_1, Arc::new(link));
            let mut lengths = Vec::new();
            while let Some(piece) = std::future::poll_fn(|context| pieces.poll_next(context)).await.unwrap() {
                lengths.push(piece.len());
            }
            assert_eq!((lengths.iter().sum::<usize>(), lengths[0]), (1_999_998, longest));
            assert!(lengths.iter().all(|length| (1..=longest).contains(length)));
        }
    }
}
