//! Whatever must converge: a loop that reads what is, decides what should be, and does the difference.
//!
//! A [`Reconciler`] has no input of its own. Nobody tells it what happened; it is woken, reads the state and acts on what
//! it finds, so it does not matter how often it is woken, what it has missed, or where the process died the last time.
//! That makes three things easy which are hard for code that handles events: a crash loses nothing, a duplicate does
//! nothing, and a test only has to write a state and run a round.
//!
//! A round is started
//! - when the process starts,
//! - when one of its [`Wake`]s goes off: a watched record changed, a queue got a message, another part called. Any
//!   number of wakes before or during a round are one further round;
//! - at the instant that the last round asked for ([`Round::due`]);
//! - after a round that failed, panicked or took too long, when its backoff is over. Wakes do not shorten that.
//!
//! Nothing polls. The loop ends when the store is closed.
//!
//! [`Planned`] is the shape that most should have: observe, then a pure plan that can be printed and tested, then steps
//! that decide nothing. [`Reconcilers`] starts them and lists what each did last; [`Runner`] is one loop, which a test
//! drives by hand.

mod crew;
mod planned;
mod registry;
mod runner;
mod status;
#[cfg(test)]
mod tests;
mod wake;

use std::time::Duration;

use base::Timestamp;

pub(crate) use crew::Crew;
pub use planned::{Plan, Planned, planned};
pub use registry::Reconcilers;
pub use runner::{Runner, Turn};
pub use status::{LastRound, ReconcilerStatus, RoundOutcome};
pub use wake::Wake;

use crate::BoxFuture;

/// Why something failed, for whoever reads a status: the callers do nothing with it but to try again.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The longest a round may take, unless its reconciler says otherwise.
pub const ROUND_LIMIT: Duration = Duration::from_secs(300);

/// Something that converges. See the [module's page](self).
pub trait Reconciler: Send + Sync + 'static {
    /// What it is called wherever its status is shown: `ecs/task-definition`. No other one has the name.
    fn name(&self) -> &str;

    /// What wakes it. Asked once.
    fn wakes(&self) -> Vec<Wake>;

    /// Reads the state and brings it closer to what it should be. It may be dropped at any await, and is then run again
    /// from the beginning.
    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>>;

    /// The longest a round may take: one that takes longer is dropped and counts as failed.
    fn limit(&self) -> Duration {
        ROUND_LIMIT
    }
}

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Round {
    /// How much it changed.
    pub changes: u64,
    /// What it did, for a person; empty if it did nothing.
    pub did: String,
    /// When it wants to run again without being woken. An instant that has passed means at once, if it changed something,
    /// and a second later if not.
    pub due: Option<Timestamp>,
}

impl Round {
    /// Everything is as it should be.
    pub fn idle() -> Self {
        Self::default()
    }

    /// So much was changed. With no change it is [`Round::idle`].
    pub fn did(changes: u64, what: impl Into<String>) -> Self {
        if changes == 0 { Self::idle() } else { Self { changes, did: what.into(), due: None } }
    }

    /// The same, with the instant of the next round.
    pub fn due(self, due: impl Into<Option<Timestamp>>) -> Self {
        Self { due: due.into(), ..self }
    }
}
