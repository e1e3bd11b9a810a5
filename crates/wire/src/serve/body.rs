//! Reading a request's body: how large it may be, and how slow.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::ServeLimits;
use super::room::{Place, Room};
use crate::error::Error;

/// The least speed of a body in the long run, in bytes a second. A client that sends a byte now and then would otherwise
/// hold its place, and what it has sent, for as long as it likes.
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

const INCOMPLETE: &str = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
const TIMED_OUT: &str =
    "Your socket connection to the server was not read from or written to within the timeout period.";

/// A request's body, taken piece by piece.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    /// The longest pause between two pieces.
    pause_max: Duration,
}

#[derive(Debug)]
enum Source {
    Connection(Incoming),
    Memory(Bytes),
}

/// Why a body did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The client went away, or sent less than it said.
    #[error("the body ended early")]
    Incomplete,
    /// The client was too slow.
    #[error("the body did not come in time")]
    TimedOut,
    /// There is more of it than the taker wants.
    #[error("the body is too large")]
    TooLarge,
}

impl RequestBody {
    /// One that comes over a connection.
    pub(super) fn incoming(body: Incoming, pause_max: Duration) -> Self {
        Self { source: Source::Connection(body), pause_max }
    }

    /// One that is there already; for tests.
    pub fn of(bytes: Bytes) -> Self {
        Self { source: Source::Memory(bytes), pause_max: Duration::MAX }
    }

    /// How long it is to be, in bytes, if the client has said so.
    pub fn declared_length(&self) -> Option<u64> {
        match &self.source {
            Source::Connection(body) => body.size_hint().exact(),
            Source::Memory(bytes) => Some(bytes.len() as u64),
        }
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// [`BodyError::Incomplete`], [`BodyError::TimedOut`]
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let body = match &mut self.source {
            Source::Connection(body) => body,
            Source::Memory(bytes) if bytes.is_empty() => return Ok(None),
            Source::Memory(bytes) => return Ok(Some(std::mem::take(bytes))),
        };
        loop {
            match tokio::time::timeout(self.pause_max, body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
                Ok(Some(Err(_))) => return Err(BodyError::Incomplete),
                Err(_) => return Err(BodyError::TimedOut),
            }
        }
    }

    /// The whole of it.
    ///
    /// # Errors
    /// [`BodyError`]
    pub async fn read(&mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await? {
            if whole.len() + piece.len() > bytes_max {
                return Err(BodyError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// Reads a body to its end.
pub(super) async fn read(limits: &ServeLimits, room: &Room, mut body: Incoming) -> Result<(Bytes, Place), Error> {
    let max = limits.body_bytes_max;
    if body.size_hint().lower() > max as u64 {
        return Err(too_large(max));
    }
    let begun = Instant::now();
    let (mut whole, mut place) = (BytesMut::new(), Place::default());
    loop {
        let at_least = Duration::from_millis(whole.len() as u64 * 1000 / BYTES_PER_SECOND_MIN);
        let deadline = begun + limits.body_timeout + at_least;
        let pause = limits.body_timeout.min(deadline.saturating_duration_since(Instant::now()));
        match tokio::time::timeout(pause, body.frame()).await {
            Ok(None) => return Ok((whole.freeze(), place)),
            Ok(Some(Ok(frame))) => {
                let Ok(data) = frame.into_data() else { continue };
                if whole.len() + data.len() > max {
                    return Err(too_large(max));
                }
                room.grow(&mut place, whole.len() + data.len())?;
                whole.extend_from_slice(&data);
            }
            Ok(Some(Err(_))) => return Err(Error::new("IncompleteBody", 400, INCOMPLETE)),
            Err(_) => return Err(Error::new("RequestTimeout", 408, TIMED_OUT)),
        }
    }
}

pub(super) fn too_large(max: usize) -> Error {
    Error::new("RequestEntityTooLargeException", 413, format!("The request's body is larger than {max} bytes."))
}
