//! The node from outside: at its socket, with images that the tests make.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used)]

mod ahead;
mod bed;
mod crash;
mod flow;
mod gate_attacks;
mod gate_bed;
mod gate_time;
mod hostile_blobs;
mod hostile_peers;
mod joined;
