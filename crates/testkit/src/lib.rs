//! What tests of many crates share. Never part of the product.
//!
//! - [`platform`]: a platform that forgets, and the clock that moves it.
//! - [`node`]: a node that only says what it does, and can be killed, wiped and started anew.
//! - [`workflow`]: fails, crashes and repeats each step of a workflow, and undoes each twice.

pub mod node;
pub mod workflow;

use std::sync::Arc;

use base::{ManualClock, Timestamp};
use platform::Platform;
use store::{Store, StoreOptions};

/// A platform that forgets, and the clock by which it goes: 2026-01-01T00:00:00Z until the test moves it.
pub fn platform() -> (Platform, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_767_225_600)));
    let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
    (Platform { store, clock: clock.clone(), ..Platform::in_memory() }, clock)
}
