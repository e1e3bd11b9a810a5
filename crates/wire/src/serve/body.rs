//! Reading a request's body: how large, how slow, and how much of all bodies together is held.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::ServeLimits;
use crate::error::Error;

/// The least speed of a body in the long run, in bytes a second. A client that sends a byte now and then would otherwise
/// hold its place, and what it has sent, for as long as it likes.
const BYTES_PER_SECOND_MIN: u64 = 16 * 1024;
/// What each body may hold without asking for room: those of almost all requests, which so are served even while large
/// ones fill the room.
const BYTES_FREE: usize = 64 * 1024;

const INCOMPLETE: &str = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
const TIMED_OUT: &str =
    "Your socket connection to the server was not read from or written to within the timeout period.";
const NO_ROOM: &str = "The server holds as many large requests as it can. Try again.";

/// The room for bodies, shared by all requests.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

/// The part of the room that a body takes, until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Place(Option<OwnedSemaphorePermit>);

impl Room {
    /// Room for `bytes`, beside what each body may hold without asking.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Lets `place` grow to what a body of `length` bytes needs. Nobody waits for room: those who wait would keep what they
    /// have, and together could keep everything.
    fn grow(&self, place: &mut Place, length: usize) -> Result<(), Error> {
        let taken = place.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = length.saturating_sub(BYTES_FREE).saturating_sub(taken);
        if more == 0 {
            return Ok(());
        }
        let no_room = || Error::new("ServiceUnavailable", 503, NO_ROOM);
        let count = u32::try_from(more).map_err(|_| no_room())?;
        let permit = self.0.clone().try_acquire_many_owned(count).map_err(|_| no_room())?;
        match &mut place.0 {
            Some(taken) => taken.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
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

fn too_large(max: usize) -> Error {
    Error::new("RequestEntityTooLargeException", 413, format!("The request's body is larger than {max} bytes."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_bodies_need_no_room_and_large_ones_give_theirs_back() {
        let room = Room::new(100);
        let (mut one, mut other, mut small) = (Place::default(), Place::default(), Place::default());
        room.grow(&mut one, BYTES_FREE).unwrap();
        room.grow(&mut one, BYTES_FREE + 40).unwrap();
        room.grow(&mut one, BYTES_FREE + 100).unwrap();
        let refused = room.grow(&mut other, BYTES_FREE + 1).unwrap_err();
        assert_eq!((refused.code.as_ref(), refused.status), ("ServiceUnavailable", 503));
        room.grow(&mut small, BYTES_FREE).unwrap();
        drop(one);
        room.grow(&mut other, BYTES_FREE + 100).unwrap();
    }
}
