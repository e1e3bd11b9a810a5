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
