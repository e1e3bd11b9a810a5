//! What happens in a shim.

use tokio::sync::broadcast;

use crate::protocol::{Exit, Target};

/// How many events of a shim wait for somebody who does not take them; whoever has missed some is told so.
const EVENTS_WAITING_MAX: usize = 256;

/// Something that happened in a shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A container or an exec has ended. All that a container printed is in its output by then.
    Exited {
        /// Which.
        what: Target,
        /// How.
        exit: Exit,
    },
    /// There is more of a container's output than at the position that [`super::Shim::watch_output`] was told.
    Output {
        /// Whose.
        container: String,
    },
    /// The sandbox has ended, and everything in it.
    SandboxEnded,
    /// More happened than was taken in time: only [`super::Shim::state`] tells how things are.
    Missed,
}

/// What happens in a shim from when [`super::Shim::events`] was called.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next one; none once the connection has ended. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Event> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Event::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Where events go: to everybody who asked for them.
#[derive(Debug, Clone)]
pub(super) struct Listeners(broadcast::Sender<Event>);

impl Listeners {
    pub(super) fn none() -> Self {
        Self(broadcast::Sender::new(EVENTS_WAITING_MAX))
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody listening is not an error: who comes later asks for the state.
        let _ = self.0.send(event);
    }

    /// A way to listen that does not keep the listening going once there is nobody who tells.
    pub(super) fn entrance(&self) -> Entrance {
        Entrance(self.0.downgrade())
    }
}

/// Where to begin to listen.
#[derive(Debug)]
pub(super) struct Entrance(broadcast::WeakSender<Event>);

impl Entrance {
    pub(super) fn events(&self) -> Events {
        // Without a sender the receiver is at its end.
        let sender = self.0.upgrade().unwrap_or_else(|| broadcast::Sender::new(1));
        Events(sender.subscribe())
    }
}
