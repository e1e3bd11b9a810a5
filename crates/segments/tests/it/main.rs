//! The store of events as its users see it.

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
