//! Reading a request's body: how large it may be, and how slow.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::ServeLimits;
use super::room::{Place, Room};
use crate::error::Error;

/// The least speed of a body in the long run, in bytes a second. A client that sends a byte now and then would otherwise
/// hold its place, and what it has sent, for as long as it likes.
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// How much of a body that nobody has taken is read after the answer, so that the connection can carry the next request.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// How long that may take.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

/// How much of a body of HTTP/2 is thrown away behind an answer that did not wait for it, in bytes. The stream would be reset
/// otherwise, and many a client drops the answer that it has then, or fails at what it is still sending.
const LINGER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// How long that may take.
const LINGER_TIME_MAX: Duration = Duration::from_secs(10);

const INCOMPLETE: &str = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
const TIMED_OUT: &str =
    "Your socket connection to the server was not read from or written to within the timeout period.";

/// A request's body as it comes over a connection. Whoever has enough of it drops it: what is still to come over HTTP/2 is
/// thrown away for a while.
#[derive(Debug)]
pub(super) struct Arriving {
    /// None once it is dropped.
    body: Option<Incoming>,
    is_http_1: bool,
}

impl Arriving {
    pub(super) fn new(body: Incoming, is_http_1: bool) -> Self {
        Self { body: Some(body), is_http_1 }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Incoming::size_hint).unwrap_or_default()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let is_wanted = !self.is_http_1 && !self.is_end_stream();
        if let (true, Some(body), Ok(runtime)) = (is_wanted, self.body.take(), Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LINGER_TIME_MAX, throw_away(body, LINGER_BYTES_MAX)));
        }
    }
}

/// Reads a body to its end, or up to so many bytes.
async fn throw_away(mut body: impl Body<Data = Bytes> + Unpin, bytes_max: u64) {
    let mut bytes = 0;
    while let Some(Ok(frame)) = body.frame().await {
        bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
        if bytes > bytes_max {
            return;
        }
    }
}

/// A request's body, taken piece by piece.
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    /// The longest pause between two pieces, and how much longer the body may take than its least speed says.
    pause_max: Duration,
    /// How long its taker has waited for it.
    waited: Duration,
    received_bytes: u64,
    is_begun: bool,
    /// Where what nobody has taken is left.
    rest: Rest,
}

#[derive(Debug)]
enum Source {
    Connection(Arriving),
    Memory(Bytes),
    /// There is no more of it.
    End,
    /// There would be more.
    Failed(BodyError),
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

/// What has become of a body when its taker is done with it.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest(Arc<Mutex<Option<Untaken>>>);

/// A part of a body that nobody has taken.
#[derive(Debug)]
pub(super) enum Untaken {
    /// It is still to come.
    ToCome {
        /// What is left of it.
        body: Arriving,
        /// Whether its taker has begun with it, and so has told a client that asked that it may send.
        is_begun: bool,
    },
    /// It will not come any more, or has been given up.
    Lost,
}

impl Rest {
    /// Disposes of what nobody has taken; whether the connection can carry another request then. Told once. That of HTTP/2 can:
    /// it is a stream that ends.
    pub(super) fn leaves_connection(&self, is_http_1: bool, expects_continue: bool) -> bool {
        let untaken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (body, is_begun) = match untaken {
            None => return true,
            Some(_) if !is_http_1 => return true,
            Some(Untaken::Lost) => return false,
            Some(Untaken::ToCome { body, is_begun }) => (body, is_begun),
        };
        // A client that waits to be told to go on sends nothing once it has an answer, or everything.
        let may_come = is_begun || !expects_continue;
        let is_short = body.size_hint().exact().is_some_and(|length| length <= DRAIN_BYTES_MAX);
        if may_come && is_short {
            tokio::spawn(tokio::time::timeout(DRAIN_TIME_MAX, throw_away(body, DRAIN_BYTES_MAX)));
        }
        may_come && is_short
    }
}

impl RequestBody {
    /// One that comes over a connection, and where it leaves what is not taken of it.
    pub(super) fn incoming(body: Arriving, pause_max: Duration) -> (Self, Rest) {
        let rest = Rest::default();
        let source = if body.is_end_stream() { Source::End } else { Source::Connection(body) };
        (Self::new(source, pause_max, rest.clone()), rest)
    }

    /// One that is there already; for tests.
    pub fn of(bytes: Bytes) -> Self {
        Self::new(Source::Memory(bytes), Duration::MAX, Rest::default())
    }

    fn new(source: Source, pause_max: Duration, rest: Rest) -> Self {
        Self { source, pause_max, waited: Duration::ZERO, received_bytes: 0, is_begun: false, rest }
    }

    /// How long what has not been taken of it is to be, in bytes, if the client has said so.
    pub fn declared_length(&self) -> Option<u64> {
        match &self.source {
            Source::Connection(body) => body.size_hint().exact(),
            Source::Memory(bytes) => Some(bytes.len() as u64),
            Source::End => Some(0),
            Source::Failed(_) => None,
        }
    }

    /// The next piece, which is never empty; none at the end.
    ///
    /// # Errors
    /// [`BodyError::Incomplete`], [`BodyError::TimedOut`]; the same again if asked again.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        self.is_begun = true;
        loop {
            let body = match &mut self.source {
                Source::Connection(body) => body,
                Source::Memory(bytes) => return Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
                Source::End => return Ok(None),
                Source::Failed(error) => return Err(*error),
            };
            // What has come already needs no clock.
            let at_once = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut *body).poll_frame(context))).await;
            let frame = match at_once {
                Poll::Ready(frame) => frame.transpose().map_err(|_| BodyError::Incomplete),
                Poll::Pending => self.wait().await,
            };
            match frame {
                Ok(Some(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(self.received(data))),
                    _ => {}
                },
                Ok(None) => self.source = Source::End,
                Err(error) => self.source = Source::Failed(error),
            }
        }
    }

    /// Waits for a frame, as long as may be waited.
    async fn wait(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        let Source::Connection(body) = &mut self.source else { return Ok(None) };
        let begun = Instant::now();
        let least_speed = Duration::from_millis(self.received_bytes.saturating_mul(1000) / BYTES_PER_SECOND_MIN);
        let left = self.pause_max.saturating_add(least_speed).saturating_sub(self.waited);
        let frame = tokio::time::timeout(left.min(self.pause_max), body.frame()).await;
        self.waited += begun.elapsed();
        match frame {
            Ok(frame) => frame.transpose().map_err(|_| BodyError::Incomplete),
            Err(_) => Err(BodyError::TimedOut),
        }
    }

    fn received(&mut self, data: Bytes) -> Bytes {
        self.received_bytes += data.len() as u64;
        if matches!(&self.source, Source::Connection(body) if body.is_end_stream()) {
            self.source = Source::End;
        }
        data
    }

    /// The whole of it.
    ///
    /// # Errors
    /// [`BodyError`]
    pub async fn read(&mut self, bytes_max: usize) -> Result<Bytes, BodyError> {
        if self.declared_length().is_some_and(|length| length > bytes_max as u64) {
            return Err(BodyError::TooLarge);
        }
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

impl Drop for RequestBody {
    fn drop(&mut self) {
        let untaken = match std::mem::replace(&mut self.source, Source::End) {
            Source::Connection(body) => Untaken::ToCome { body, is_begun: self.is_begun },
            Source::Failed(_) => Untaken::Lost,
            Source::Memory(_) | Source::End => return,
        };
        *self.rest.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(untaken);
    }
}

/// Reads a body of at most `max` bytes to its end.
pub(super) async fn read(
    limits: &ServeLimits,
    max: usize,
    room: &Room,
    mut body: Arriving,
) -> Result<(Bytes, Place), Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_in_memory_comes_in_one_piece() {
        let mut body = RequestBody::of(Bytes::from_static(b"all of it"));
        assert_eq!(body.declared_length(), Some(9));
        assert_eq!(body.next().await, Ok(Some(Bytes::from_static(b"all of it"))));
        assert_eq!((body.next().await, body.next().await), (Ok(None), Ok(None)));
        assert_eq!(RequestBody::of(Bytes::new()).next().await, Ok(None));
    }

    #[tokio::test]
    async fn a_body_is_read_whole_up_to_what_its_taker_wants() {
        let body = || RequestBody::of(Bytes::from_static(b"all of it"));
        assert_eq!(body().read(9).await, Ok(Bytes::from_static(b"all of it")));
        assert_eq!(body().read(8).await, Err(BodyError::TooLarge));
        assert_eq!(RequestBody::of(Bytes::new()).read(0).await, Ok(Bytes::new()));
    }
}
