//! An answer's body: handed on piece by piece, and counted for as long as any of it is held. It is there as a whole, or comes
//! message by message.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use std::sync::Arc;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

use super::activity::{Activity, Open};
use super::room::Place;
use super::stream;

/// How much is handed to the connection at once. On HTTP/2 a stream takes the next piece only when its client has made
/// room for it, so of an answer that nobody reads no more than this is out of sight.
const PIECE_BYTES: usize = 16 * 1024;

/// What is still to be sent, and its place in the room for answers.
#[derive(Debug)]
pub(super) struct AnswerBody {
    rest: Bytes,
    place: Place,
    more: Option<More>,
}

/// What follows, message by message.
#[derive(Debug)]
struct More {
    frames: mpsc::Receiver<stream::Frame>,
    activity: Arc<Activity>,
    /// Held while there is nothing to send: waiting for an event is no idleness of the client, but a message that is not
    /// taken is.
    open: Option<Open>,
}

impl AnswerBody {
    /// A body that is there already.
    pub(super) fn new(whole: Bytes, place: Place) -> Self {
        Self { rest: whole, place, more: None }
    }

    /// A body that comes in messages.
    pub(super) fn stream(frames: mpsc::Receiver<stream::Frame>, activity: Arc<Activity>) -> Self {
        let open = Some(activity.begin());
        Self { rest: Bytes::new(), place: Place::default(), more: Some(More { frames, activity, open }) }
    }

    /// Waits for the next message; whether there is one.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        let Some(more) = &mut self.more else { return Poll::Ready(false) };
        match more.frames.poll_recv(context) {
            Poll::Pending => {
                more.open.get_or_insert_with(|| more.activity.begin());
                Poll::Pending
            }
            Poll::Ready(Some(frame)) => {
                more.open = None;
                (self.rest, self.place) = (frame.bytes, frame.place);
                Poll::Ready(true)
            }
            Poll::Ready(None) => {
                self.more = None;
                Poll::Ready(false)
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() && !std::task::ready!(self.poll_more(context)) {
            return Poll::Ready(None);
        }
        let piece = match self.rest.len() {
            0..=PIECE_BYTES => std::mem::take(&mut self.rest),
            // A copy: a share of the whole would keep all of it in memory.
            _ => Bytes::copy_from_slice(&self.rest.split_to(PIECE_BYTES)),
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.more.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.more {
            None => SizeHint::with_exact(self.rest.len() as u64),
            Some(_) => SizeHint::default(),
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
