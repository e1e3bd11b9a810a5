//! The server over real sockets, with three small services behind it.
//!
//! Nothing here measures time: whatever must happen is waited for, and only a test that hangs ends by the clock.

mod authentication;
mod backend;
mod cbor;
mod connections;
mod harness;
mod limits;
mod objects;
mod places;
mod routes;
mod routing;
mod streams;
