//! An answer's body: handed on piece by piece, and counted for as long as any of it is held. It is there as a whole, comes
//! message by message, or is read from a file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::activity::Open;
use super::file::FilePieces;
use super::link::Link;
use super::outgoing::{Outgoing, Read};
use super::room::Place;
use super::stream;
use super::streams::Stream;
use crate::content::{Content, ContentReader, Source};

/// How much is handed to the connection at once. On HTTP/2 a stream takes the next piece only when its client has made
/// room for it and what it took before has gone, so of an answer that nobody reads little is out of sight.
const PIECE_BYTES: usize = 16 * 1024;

/// What is still to be sent.
#[derive(Debug)]
pub(super) struct AnswerBody {
    /// What is there of it, and its place in the room for answers.
    rest: Bytes,
    place: Place,
    more: More,
    /// Of a request of HTTP/2.
    stream: Option<Stream>,
}

/// What follows.
#[derive(Debug)]
enum More {
    Nothing,
    Messages(Messages),
    File(FilePieces),
    Content(Outgoing),
}

/// Messages as they come.
#[derive(Debug)]
struct Messages {
    frames: mpsc::Receiver<stream::Frame>,
    link: Arc<Link>,
    /// Held while there is nothing to send: waiting for an event is no idleness of the client, but a message that is not
    /// taken is.
    open: Option<Open>,
}

impl AnswerBody {
    /// A body that is there already.
    pub(super) fn new(whole: Bytes, place: Place) -> Self {
        Self { rest: whole, place, more: More::Nothing, stream: None }
    }

    /// A body that comes in messages.
    pub(super) fn stream(frames: mpsc::Receiver<stream::Frame>, link: Arc<Link>) -> Self {
        let open = Some(link.activity.begin());
        Self::following(More::Messages(Messages { frames, link, open }))
    }

    /// A part of a file.
    pub(super) fn file(file: File, range: Range<u64>, is_http_1: bool, link: Arc<Link>) -> Self {
        Self::following(More::File(FilePieces::new(Arc::new(file), range, is_http_1, link)))
    }

    /// A content.
    pub(super) fn content(content: Content, is_http_1: bool, link: Arc<Link>) -> Self {
        let length = content.length();
        let outgoing = match content.take() {
            None => return Self::new(Bytes::new(), Place::default()),
            // Somebody else's memory, or as much as a record holds: nothing that waiting here makes more of.
            Some(Source::Bytes(bytes)) => return Self::new(bytes, Place::default()),
            Some(Source::Files(files)) => Outgoing::files(files, length, is_http_1, link),
            Some(Source::Pieces(pieces)) => Outgoing::pieces(pieces, length, is_http_1, link),
            Some(incoming @ Source::Incoming(_)) => {
                let reader = Box::new(Read(ContentReader::new(Some(incoming), length)));
                Outgoing::pieces(reader, length, is_http_1, link)
            }
        };
        Self::following(More::Content(outgoing))
    }

    /// The same for a request of HTTP/2, whose place it keeps until all of it has been sent.
    pub(super) fn on(self, stream: Option<Stream>) -> Self {
        Self { stream, ..self }
    }

    fn following(more: More) -> Self {
        Self { rest: Bytes::new(), place: Place::default(), more, stream: None }
    }

    /// The next piece of what is there already.
    fn piece(&mut self) -> Bytes {
        match self.rest.len() {
            0..=PIECE_BYTES => std::mem::take(&mut self.rest),
            // A copy: a share of the whole would keep all of it in memory.
            _ => Bytes::copy_from_slice(&self.rest.split_to(PIECE_BYTES)),
        }
    }

    /// Waits for the next message; whether there is one.
    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let More::Messages(messages) = &mut self.more else { return Poll::Ready(false) };
        match messages.frames.poll_recv(context) {
            Poll::Pending => {
                messages.open.get_or_insert_with(|| messages.link.activity.begin());
                Poll::Pending
            }
            Poll::Ready(Some(frame)) => {
                messages.open = None;
                (self.rest, self.place) = (frame.bytes, frame.place);
                Poll::Ready(true)
            }
            Poll::Ready(None) => {
                self.more = More::Nothing;
                Poll::Ready(false)
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let streamed = match &mut self.more {
            More::File(pieces) => Some(ready!(pieces.poll_next(context))),
            More::Content(outgoing) => Some(ready!(outgoing.poll_next(context))),
            More::Nothing | More::Messages(_) => None,
        };
        let piece = if let Some(streamed) = streamed {
            match streamed {
                Ok(Some(piece)) => piece,
                Ok(None) => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        } else {
            if self.rest.is_empty() && !ready!(self.poll_message(context)) {
                return Poll::Ready(None);
            }
            self.piece()
        };
        let stream = if self.is_end_stream() { self.stream.take() } else { None };
        let piece = match stream {
            Some(stream) => stream.with(piece),
            None => piece,
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.more {
            More::Nothing => self.rest.is_empty(),
            More::Messages(_) => false,
            More::File(pieces) => pieces.remaining() == 0,
            More::Content(outgoing) => outgoing.is_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.more {
            More::Nothing => SizeHint::with_exact(self.rest.len() as u64),
            More::Messages(_) => SizeHint::default(),
            More::File(pieces) => SizeHint::with_exact(pieces.remaining()),
            More::Content(outgoing) => outgoing.remaining().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn an_answer_comes_whole_in_small_pieces() {
        for length in [0, 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES] {
            let whole: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let mut body = AnswerBody::new(whole.clone().into(), Place::default());
            assert_eq!(body.size_hint().exact(), Some(length as u64));
            let mut received = Vec::new();
            while let Some(frame) = body.frame().await {
                let piece = frame.unwrap().into_data().unwrap();
                assert!((1..=PIECE_BYTES).contains(&piece.len()));
                received.extend_from_slice(&piece);
            }
            assert_eq!(received, whole);
            assert!(body.is_end_stream());
        }
    }
}
