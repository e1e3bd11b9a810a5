//! From a stream of events to the pieces of an answer's body.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::room::{Place, Room};
use crate::eventstream::message::{self, PAYLOAD_BYTES_MAX};
use crate::eventstream::{Events, ProducerPanicked};
use crate::model::Protocol;
use crate::schema::ShapeRef;
use crate::value::Value;

/// A message, and what it takes of the room for answers.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) bytes: Bytes,
    pub(super) place: Place,
}

/// What carries the events of one answer.
pub(super) struct Pump {
    /// The protocol of payloads.
    pub(super) protocol: Protocol,
    /// The union of the events.
    pub(super) shape: ShapeRef,
    /// The room that messages share with other answers.
    pub(super) room: Room,
    /// How long a client may take to read a message.
    pub(super) read_timeout: Duration,
    /// Whether the server stops.
    pub(super) stopping: watch::Receiver<bool>,
    /// For the log.
    pub(super) request_id: String,
}

/// A message, and whether it is the last.
struct Message {
    bytes: Vec<u8>,
    is_last: bool,
}

impl Pump {
    /// Begins to carry: `initial` first, then the events. One message waits for the client at most; the producer ends
    /// when the other end is dropped, or its client does not read.
    pub(super) fn start(self, initial: Vec<u8>, events: Events) -> mpsc::Receiver<Frame> {
        let (frames, body) = mpsc::channel(1);
        tokio::spawn(self.run(initial, events, frames));
        body
    }

    async fn run(mut self, initial: Vec<u8>, mut events: Events, frames: mpsc::Sender<Frame>) {
        // What comes before the events is in the head where members are bound to HTTP.
        let mut message = match initial.is_empty() {
            true => self.next(&mut events, &frames).await,
            false => Some(Message { bytes: initial, is_last: false }),
        };
        while let Some(Message { bytes, is_last }) = message {
            let (frame, fits) = self.frame(bytes);
            match tokio::time::timeout(self.read_timeout, frames.send(frame)).await {
                Ok(Ok(())) if !is_last && fits => {}
                _ => break,
            }
            message = self.next(&mut events, &frames).await;
        }
        tracing::debug!(request_id = %self.request_id, "an event stream has ended");
    }

    /// The next message; `None` when the events are at their end or the client has gone away.
    async fn next(&mut self, events: &mut Events, frames: &mpsc::Sender<Frame>) -> Option<Message> {
        let next = tokio::select! {
            () = frames.closed() => return None,
            () = stops(&mut self.stopping) => {
                events.close();
                events.next().await
            }
            next = events.next() => next,
        };
        self.message(next)
    }

    fn message(&self, next: Result<Option<(usize, Value)>, ProducerPanicked>) -> Option<Message> {
        let broken = |error: &dyn std::fmt::Display| {
            tracing::error!(request_id = %self.request_id, %error, "an event stream is broken off");
            let told = crate::Error::internal();
            Some(Message { bytes: message::encode_error(&told.code, &told.message), is_last: true })
        };
        match next {
            Ok(Some((place, event))) => match self.protocol.encode_event(self.shape.member(place), &event) {
                Ok((bytes, is_last)) => Some(Message { bytes, is_last }),
                Err(length) => broken(&format!("an event of {length} bytes is larger than {PAYLOAD_BYTES_MAX}")),
            },
            Ok(None) => None,
            Err(panicked) => broken(&panicked),
        }
    }

    /// Takes room for a message. Where there is none the stream ends with an error, which needs none.
    fn frame(&self, bytes: Vec<u8>) -> (Frame, bool) {
        let mut place = Place::default();
        match self.room.grow(&mut place, bytes.len()) {
            Ok(()) => (Frame { bytes: bytes.into(), place }, true),
            Err(no_room) => {
                let bytes = message::encode_error(&no_room.code, &no_room.message).into();
                (Frame { bytes, place: Place::default() }, false)
            }
        }
    }
}

/// Waits until the server stops.
pub(super) async fn stops(stopping: &mut watch::Receiver<bool>) {
    // A server that is no more stops, too.
    let _ = stopping.wait_for(|stops| *stops).await;
}
