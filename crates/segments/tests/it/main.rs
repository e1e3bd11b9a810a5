//! The store of events as its users see it.

mod bed;
mod model;
mod order;
