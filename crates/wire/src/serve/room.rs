//! Memory that many requests share.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;

/// What each body may hold without asking for room: those of almost all requests, which so are served even while large
/// ones fill the room.
pub(super) const BYTES_FREE: usize = 64 * 1024;

const NO_ROOM: &str = "The server holds as much for large requests as it can. Try again.";

/// Room for the bodies of requests, or of answers.
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
    pub(super) fn grow(&self, place: &mut Place, length: usize) -> Result<(), Error> {
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
