//! What every engine must do, and what the durable one must survive.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod backup;
mod bed;
mod conformance;
mod crash;
mod disk;
mod disk_full;
mod model;
mod opening;
mod power_loss;
