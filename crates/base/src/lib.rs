//! What every other crate stands on: names, instants, randomness. Pure types; the only input is the operating system's
//! clock and random source, each behind a trait so that tests decide what they answer.
//!
//! - [`AccountId`], [`Region`], [`Arn`], [`Principal`]: who and where.
//! - [`Timestamp`], [`Clock`]: when.
//! - [`Rng`] and [`ids`]: identifiers of the shapes that AWS's own have.

mod arn;
mod clock;
pub mod ids;
mod names;
mod principal;
mod rng;
mod timestamp;

pub use arn::{Arn, ArnError};
pub use clock::{Clock, ManualClock, SystemClock};
pub use names::{AccountId, NameError, Region};
pub use principal::{Principal, PrincipalKind};
pub use rng::{Rng, SeededRng, SystemRng};
pub use timestamp::{Timestamp, TimestampError};
