//! Requests of HTTP/2, of which a connection may have many at a time.
//!
//! Places among connections bound what clients of HTTP/1 can make the server hold: each has one request there. A client of
//! HTTP/2 could open a hundred times as many and read no answer, or take them back and leave their handlers at work. So
//! each connection has one stream for itself, and all further ones share as many as there are connections.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::link::Link;

/// The streams that all connections share.
#[derive(Debug)]
pub(super) struct Streams(Arc<Semaphore>);

/// A request's place, until its handler has ended and all of its answer has gone to the socket.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    _place: Arc<Place>,
}

#[derive(Debug)]
enum Place {
    /// The one that its connection has for itself.
    Own(Arc<Link>),
    Shared(#[expect(dead_code, reason = "it is held, and given back when it is dropped")] OwnedSemaphorePermit),
}

impl Streams {
    pub(super) fn new(shared: usize) -> Self {
        Self(Arc::new(Semaphore::new(shared.min(Semaphore::MAX_PERMITS))))
    }

    /// A place for one more request of a connection; none if there are too many.
    pub(super) fn open(&self, link: &Arc<Link>) -> Option<Stream> {
        let place = if link.has_own_stream.swap(true, Ordering::Relaxed) {
            Place::Shared(self.0.clone().try_acquire_owned().ok()?)
        } else {
            Place::Own(link.clone())
        };
        Some(Stream { _place: Arc::new(place) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Own(link) = self {
            link.has_own_stream.store(false, Ordering::Relaxed);
        }
    }
}

/// The last piece of an answer, which keeps the request's place until it has been sent.
struct Last {
    piece: Bytes,
    _stream: Stream,
}

impl AsRef<[u8]> for Last {
    fn as_ref(&self) -> &[u8] {
        &self.piece
    }
}

impl Stream {
    /// A piece of an answer that is dropped together with this.
    pub(super) fn with(self, piece: Bytes) -> Bytes {
        Bytes::from_owner(Last { piece, _stream: self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_connection_has_one_for_itself_and_shares_the_others() {
        let streams = Streams::new(1);
        let (one, other) = (Arc::new(Link::default()), Arc::new(Link::default()));
        let own = streams.open(&one).unwrap();
        let shared = streams.open(&one).unwrap();
        assert!(streams.open(&one).is_none());
        assert!(streams.open(&other).is_some(), "its own");
        drop(own);
        assert!(streams.open(&one).is_some(), "its own again");
        let last = shared.clone().with(Bytes::from_static(b"end"));
        drop(shared);
        let _own = streams.open(&one).unwrap();
        assert!(streams.open(&one).is_none(), "its answer has not been sent");
        assert_eq!(last, "end");
        drop(last);
        assert!(streams.open(&one).is_some());
    }
}
