//! The program as its users start it: every test runs the built binary.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod backups;
mod certificates;
mod commands;
mod harness;
mod images;
mod joined;
mod lifecycle;
mod log_backups;
mod ownership;
mod registry;
