//! What a caller gets of an execution: all of it at its end, or piece by piece.

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::pool::Place;
use crate::executor::{Answered, Piece, Streaming};
use crate::local::frame::ResponseHead;

/// How many pieces of a streamed answer may wait for whoever reads it.
const PIECES_WAITING_MAX: usize = 16;
const UNHANDLED: &str = "Unhandled";

/// Where the answer goes.
#[derive(Debug)]
pub(super) enum Reply {
    /// When there is all of it.
    Whole(oneshot::Sender<Answered>),
    /// As it comes.
    Streamed(oneshot::Sender<Streaming>),
}

/// What came of an event so far.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The answer, or what is said of the error.
    pub(super) payload: Bytes,
    /// The type of an error.
    pub(super) error: Option<String>,
    pub(super) produced_bytes: u64,
    /// Whether all of it has come.
    pub(super) is_answered: bool,
}

/// Whoever waits for an answer.
pub(super) struct Answer<'a> {
    reply: Option<Reply>,
    pieces: Option<mpsc::Sender<Piece>>,
    version: String,
    /// Where it is told that the environment will be free.
    place: &'a Place,
}

impl<'a> Answer<'a> {
    pub(super) fn new(reply: Reply, version: &str, place: &'a Place) -> Self {
        Self { reply: Some(reply), pieces: None, version: version.to_owned(), place }
    }

    pub(super) fn is_streamed(&self) -> bool {
        self.pieces.is_some()
    }

    /// The answer begins: from here on whoever wants it as it comes gets it.
    pub(super) fn begins(&mut self, head: &ResponseHead) {
        if let Some(Reply::Streamed(_)) = &self.reply {
            self.open(head.content_type.clone());
        }
    }

    fn open(&mut self, content_type: Option<String>) {
        if let Some(Reply::Streamed(reply)) = self.reply.take_if(|reply| matches!(reply, Reply::Streamed(_))) {
            let (pieces, receiver) = mpsc::channel(PIECES_WAITING_MAX);
            // Who has gone is not told.
            let _ = reply.send(Streaming { version: self.version.clone(), content_type, pieces: receiver });
            self.pieces = Some(pieces);
        }
    }

    /// Nobody need read it: the function goes on all the same.
    pub(super) async fn piece(&self, piece: Bytes) {
        if let Some(pieces) = &self.pieces {
            let _ = pieces.send(Piece::Bytes(piece)).await;
        }
    }

    /// All has been answered. Said twice, it counts once.
    pub(super) async fn end(&mut self, outcome: &Outcome, log_tail: Option<Vec<u8>>) {
        if self.reply.is_some() || self.pieces.is_some() {
            self.place.answers();
        }
        match self.reply.take() {
            Some(Reply::Whole(reply)) => {
                let _ = reply.send(Answered {
                    version: self.version.clone(),
                    payload: outcome.payload.clone(),
                    function_error: outcome.error.as_ref().map(|_| UNHANDLED.to_owned()),
                    log_tail,
                });
                return;
            }
            Some(streamed) => {
                self.reply = Some(streamed);
                self.open(None);
            }
            None => {}
        }
        let Some(pieces) = self.pieces.take() else { return };
        let said = String::from_utf8_lossy(&outcome.payload).into_owned();
        let error = outcome.error.clone().map(|error_type| (error_type, said));
        let _ = pieces.send(Piece::End { error, log_tail }).await;
    }
}
