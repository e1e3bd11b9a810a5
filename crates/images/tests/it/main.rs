//! The image store from outside: archives of every kind, attacks, crashes, mounts; registries elsewhere.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod archive;
mod attacks;
mod bed;
mod bombs;
mod collecting;
mod crash;
mod disk_full;
mod looking;
mod model;
mod mounting;
mod preparing;
mod remote;
mod snapshot;
mod unpacking;
mod zips;
