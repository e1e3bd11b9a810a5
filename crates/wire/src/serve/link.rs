//! What the requests of a connection and their answers share with its socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::activity::Activity;
use super::window::Windows;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Whether anything happens on it.
    pub(super) activity: Arc<Activity>,
    /// The parts of files that its socket is to send; none if what is written to the socket is not what an answer says.
    windows: Option<Windows>,
    /// Whether an answer was given before its request had been read.
    is_unread: AtomicBool,
    /// Whether the stream is open that each connection of HTTP/2 has for itself.
    pub(super) has_own_stream: AtomicBool,
}

impl Link {
    /// A connection whose socket carries answers as they are.
    pub(super) fn plain() -> Self {
        Self { windows: Some(Windows::default()), ..Self::default() }
    }

    /// Where files are handed to the socket.
    pub(super) fn windows(&self) -> Option<&Windows> {
        self.windows.as_ref()
    }

    /// Notes whether the last request of a connection of HTTP/1 has been answered before it was read.
    pub(super) fn set_unread(&self, is_unread: bool) {
        self.is_unread.store(is_unread, Ordering::Relaxed);
    }

    /// Whether the client may still be sending a request that has been answered.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }
}
