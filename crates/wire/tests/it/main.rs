//! The wire from outside: random values through the codecs, the models' patterns, signatures, requests over sockets.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod arbitrary;
mod codecs;
mod events;
#[path = "../../src/fixture.rs"]
mod fixture;
mod form;
mod loose;
mod patterns;
mod serve;
mod sigv4;
