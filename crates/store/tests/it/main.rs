//! What every engine must do, and what the durable one must survive.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used)]

mod bed;
mod conformance;
mod crash;
mod disk;
mod model;
mod opening;
mod power_loss;
