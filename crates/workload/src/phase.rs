//! How far a workload is.

use serde::{Deserialize, Serialize};

/// How far a workload is. It only goes forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// It has no node, or its node has not begun.
    #[default]
    Pending,
    /// Its node makes what it needs.
    Preparing,
    /// A container of it has started.
    Running,
    /// Its containers are being stopped.
    Stopping,
    /// Nothing of it runs, and everything that it had is removed.
    Stopped,
}

/// What happens to a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Its node begins.
    Began,
    /// A container started.
    Started,
    /// It is to end: it was asked to, failed, or an essential container ended.
    Ending,
    /// Everything is removed.
    Removed,
}

/// What cannot happen to a workload that is so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a workload that is {from:?} cannot have {event:?}")]
pub struct IllegalTransition {
    /// How far it is.
    pub from: Phase,
    /// What cannot happen.
    pub event: Event,
}

impl Phase {
    /// How far it is after something happened.
    ///
    /// # Errors
    /// [`IllegalTransition`] for what would go back.
    pub fn next(self, event: Event) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Pending, Event::Began) => Ok(Self::Preparing),
            (Self::Preparing | Self::Running, Event::Started) => Ok(Self::Running),
            (Self::Pending | Self::Preparing | Self::Running | Self::Stopping, Event::Ending) => Ok(Self::Stopping),
            (Self::Pending | Self::Stopping, Event::Removed) => Ok(Self::Stopped),
            (from, event) => Err(IllegalTransition { from, event }),
        }
    }

    /// Whether nothing will happen to it any more.
    pub fn is_final(self) -> bool {
        self == Self::Stopped
    }
}
