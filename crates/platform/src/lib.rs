//! What services share, so that each is only itself.
//!
//! - [`Service`] and [`Gateway`]: from a verified request to the handler of its operation.
//! - [`Ctx`]: who asks, where and when; every handler's second argument.
//! - [`Platform`]: what a service is built on: store, clock, randomness, keys.
//! - [`Ctx::admit`]: the one gate before every handler; [`Access`] is what it is asked for.
//! - [`identity`]: access keys and temporary credentials.
//! - [`ports`]: how services reach each other without knowing each other.
//! - [`Keyring`]: what is sealed with the installation's own key.
//! - [`reconciler`]: whatever must converge; [`workflow`]: fixed steps with undo.
//! - [`workloads`]: what is wanted to run, where it was placed, what came of it.
//! - [`outbox`]: events that go with a change; [`idempotency`]: client tokens.
//! - [`tags`]: AWS's rules for tags.

mod access;
mod admission;
mod authorize;
mod backoff;
mod contention;
mod ctx;
pub mod denials;
mod gateway;
mod guarded;
pub mod idempotency;
pub mod identity;
mod keyring;
pub mod outbox;
mod page_token;
pub mod ports;
pub mod reconciler;
mod rights;
pub mod tags;
pub mod workflow;
pub mod workloads;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use base::{Clock, ManualClock, Rng, SeededRng, Timestamp};
use store::{Store, StoreError, StoreOptions};

pub use access::{Access, Asked, Facts};
pub use admission::{Admission, Arrival};
pub use backoff::Backoff;
pub use contention::{Attempts, MayConflict};
pub use ctx::Ctx;
pub use gateway::{Answer, Gateway, Service};
pub use guarded::Broken;
pub use keyring::{KEY_BYTES, Keyring};
pub use page_token::InvalidPageToken;
pub use reconciler::{
    Cause, Plan, Planned, Reconciler, ReconcilerStatus, Reconcilers, Round, Runner, Turn, Wake, planned,
};
pub use rights::Rights;

/// A boxed future, for traits that are used behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a service is built on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The state.
    pub store: Store,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// Randomness, fit for keys.
    pub rng: Arc<dyn Rng>,
    /// The installation's own key.
    pub keyring: Arc<Keyring>,
    /// The keys that are not in the store, and when keys were last used.
    pub keys: Arc<identity::Keys>,
}

impl Platform {
    /// A platform that forgets: an in-memory store, a clock that stands at 2026-01-01T00:00:00Z, fixed randomness. For
    /// tests and simulation.
    pub fn in_memory() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_767_225_600)));
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(7));
        Self {
            store: Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() }),
            clock,
            keyring: Arc::new(Keyring::new(&[7; KEY_BYTES], rng.clone())),
            rng,
            keys: Arc::new(identity::Keys::default()),
        }
    }
}

/// What a client is told when the store does not do as it was asked. Guards that fail are the handler's business; one
/// that it let through means that somebody else kept winning.
pub fn store_error(error: &StoreError) -> wire::Error {
    match error {
        StoreError::Full => wire::Error::new(
            "ServiceUnavailable",
            503,
            "The disk that holds Pilvi's state is full. Nothing was lost; free some space and try again.",
        ),
        StoreError::Conflict { key } => {
            tracing::warn!(%key, "a conflict reached the client");
            wire::Error::new("ServiceUnavailable", 503, "The resource is being changed by other requests. Try again.")
        }
        StoreError::TooLarge { what, size, max } => {
            wire::Error::new("ValidationException", 400, format!("{what} is too large: {size}, and {max} is the most."))
        }
        StoreError::Closed => wire::Error::new("ServiceUnavailable", 503, "Pilvi is stopping."),
        other => {
            tracing::error!(error = %other, "the store failed");
            wire::Error::internal()
        }
    }
}
