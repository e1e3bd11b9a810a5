//! The store of events as its users see it.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used)]

mod backup;
mod bed;
mod caps;
mod crash;
mod damage;
mod disk_full;
mod following;
mod groups;
mod model;
mod order;
mod removal;
