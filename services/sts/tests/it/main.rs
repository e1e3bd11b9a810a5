//! STS through its dispatch, over a platform in memory and a directory of a few roles.

#![allow(clippy::unwrap_used)]

mod assume_role;
mod bench;
mod caller;
mod issuer;
mod services;
mod session_token;
mod web_identity;
