//! A content on its way into an answer: parts of files one after the other, or pieces that are made while they are sent.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use super::BoxFuture;
use super::activity::Open;
use super::file::FilePieces;
use super::link::Link;
use crate::content::{ContentReader, FileRange, FileSequence, Pieces};

/// What is sent of a content, piece by piece.
pub(super) struct Outgoing {
    source: Source,
    /// How much is still to come, where that is known.
    rest: Option<u64>,
    /// Whether the next piece has been asked for and not come.
    waiting: Option<Open>,
    is_ended: bool,
    is_http_1: bool,
    link: Arc<Link>,
}

enum Source {
    Files { next: Next<dyn FileSequence, FileRange>, open: Option<FilePieces> },
    Pieces(Next<dyn Pieces, Bytes>),
}

/// Whoever has the next one, or is just getting it.
enum Next<S: ?Sized, T> {
    Idle(Box<S>),
    Busy(BoxFuture<'static, (Box<S>, io::Result<Option<T>>)>),
    Done,
}

impl Outgoing {
    /// Parts of files, `length` bytes in all.
    pub(super) fn files(files: Box<dyn FileSequence>, length: Option<u64>, is_http_1: bool, link: Arc<Link>) -> Self {
        Self::new(Source::Files { next: Next::Idle(files), open: None }, length, is_http_1, link)
    }

    /// Pieces, `length` bytes in all if that is known.
    pub(super) fn pieces(pieces: Box<dyn Pieces>, length: Option<u64>, is_http_1: bool, link: Arc<Link>) -> Self {
        Self::new(Source::Pieces(Next::Idle(pieces)), length, is_http_1, link)
    }

    fn new(source: Source, rest: Option<u64>, is_http_1: bool, link: Arc<Link>) -> Self {
        Self { source, rest, waiting: None, is_ended: rest == Some(0), is_http_1, link }
    }

    /// How much is still to come, where that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        self.rest
    }

    /// Whether everything has been handed out.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The next piece, never empty; none at the end. Less than was promised is an error, and so is more.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.is_ended {
            return Poll::Ready(Ok(None));
        }
        let polled = match &mut self.source {
            Source::Pieces(next) => poll_piece(next, context),
            Source::Files { next, open } => poll_file(next, open, self.is_http_1, &self.link, context),
        };
        let Poll::Ready(piece) = polled else {
            // Whoever waits for what is not there yet does not idle.
            self.waiting.get_or_insert_with(|| self.link.activity.begin());
            return Poll::Pending;
        };
        self.waiting = None;
        let piece =
            piece.inspect_err(|error| tracing::error!(%error, "a content could not be read while it was sent"))?;
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        self.rest = match self.rest {
            None => None,
            Some(rest) if length > rest || (piece.is_none() && rest > 0) => return Poll::Ready(Err(wrong_length())),
            Some(rest) => Some(rest - length),
        };
        self.is_ended = piece.is_none() || self.rest == Some(0);
        self.link.activity.moved();
        Poll::Ready(Ok(piece))
    }
}

fn poll_piece(next: &mut Next<dyn Pieces, Bytes>, context: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
    loop {
        match ready!(next.poll(context, |mut source| {
            Box::pin(async move {
                let piece = source.next().await;
                (source, piece)
            })
        }))? {
            Some(piece) if piece.is_empty() => {}
            piece => return Poll::Ready(Ok(piece)),
        }
    }
}

fn poll_file(
    next: &mut Next<dyn FileSequence, FileRange>,
    open: &mut Option<FilePieces>,
    is_http_1: bool,
    link: &Arc<Link>,
    context: &mut Context<'_>,
) -> Poll<io::Result<Option<Bytes>>> {
    loop {
        if let Some(pieces) = open {
            match ready!(pieces.poll_next(context))? {
                Some(piece) => return Poll::Ready(Ok(Some(piece))),
                None => *open = None,
            }
        }
        let part = ready!(next.poll(context, |mut source| {
            Box::pin(async move {
                let part = source.next().await;
                (source, part)
            })
        }))?;
        match part {
            Some(part) => *open = Some(FilePieces::new(part.file, part.range, is_http_1, link.clone())),
            None => return Poll::Ready(Ok(None)),
        }
    }
}

impl<S: ?Sized, T> Next<S, T> {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        ask: impl FnOnce(Box<S>) -> BoxFuture<'static, (Box<S>, io::Result<Option<T>>)>,
    ) -> Poll<io::Result<Option<T>>> {
        let mut busy = match std::mem::replace(self, Self::Done) {
            Self::Idle(source) => ask(source),
            Self::Busy(busy) => busy,
            Self::Done => return Poll::Ready(Ok(None)),
        };
        match busy.as_mut().poll(context) {
            Poll::Pending => {
                *self = Self::Busy(busy);
                Poll::Pending
            }
            Poll::Ready((source, next)) => {
                if matches!(next, Ok(Some(_))) {
                    *self = Self::Idle(source);
                }
                Poll::Ready(next)
            }
        }
    }
}

/// A content that is read is pieces, too.
pub(super) struct Read(pub(super) ContentReader);

impl Pieces for Read {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move { self.0.next().await.map_err(io::Error::other) })
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("rest", &self.rest).field("is_ended", &self.is_ended).finish_non_exhaustive()
    }
}

fn wrong_length() -> io::Error {
    tracing::error!("a content has not the length that was told");
    io::Error::new(io::ErrorKind::UnexpectedEof, "the content has not the length that was told")
}
