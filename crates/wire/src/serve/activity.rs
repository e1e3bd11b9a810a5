//! Whether anything happens on a connection.
//!
//! hyper's own clock covers the head of an HTTP/1 request and nothing else: a client of HTTP/2 that opens no stream, or one
//! of either version that sends requests and does not read the answers, would keep its place for ever, and places are
//! bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// How often within the limit it is looked. Looking now and then costs less than being told of every request.
const LOOKS: u32 = 4;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    open: AtomicUsize,
}

/// A request that is being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Open(Arc<Activity>);

impl Activity {
    /// Notes that a request has begun.
    pub(super) fn begin(self: &Arc<Self>) -> Open {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(self.clone())
    }

    /// Notes that a client has taken a part of an answer that is long.
    pub(super) fn moved(&self) {
        self.begun.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until no request has begun and none has been open for `limit`, or a little longer. Answers are whole when a
    /// request ends here, so this is also the time that a client has to take one; a stream of events counts as open only
    /// while it has nothing to send, so it is the time to take a message, too.
    pub(super) async fn ceased(&self, limit: Duration) {
        let (mut seen, mut quiet_looks) = (0, 0);
        // The look after a request's end may follow at once: it does not count.
        while quiet_looks <= LOOKS {
            tokio::time::sleep(limit / LOOKS).await;
            let begun = self.begun.load(Ordering::Relaxed);
            let is_quiet = begun == seen && self.open.load(Ordering::Relaxed) == 0;
            quiet_looks = if is_quiet { quiet_looks + 1 } else { 0 };
            seen = begun;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
