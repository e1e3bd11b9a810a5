//! What the end-to-end tests stand on: a running Pilvi, real clients, and a client that lies.
//!
//! - [`Server`]: `pilvi up` in a folder of its own, ended when it is dropped. [`Server::shared`] is one for all tests that
//!   only need an [`Account`] of their own in it.
//! - [`Aws`], [`Script`]: the AWS CLI v2, boto3 and the AWS SDK for JavaScript, shut off from the caller's own settings.
//! - [`raw`]: HTTP/1.1 byte by byte, for requests that no client would send; [`Api`] and [`registry`]: the same with names.
//! - [`engine`]: skopeo, podman and docker; [`image`]: images that only a test would make.
//! - [`small_disk`]: a file system that is soon full.
//! - [`program`]: programs run within a time limit; [`Followed`]: one whose lines are seen while it runs.
//!
//! The program under test is `$PILVI_BIN`, or the one that `cargo build -p pilvi` left beside the tests; the clients are in
//! `$PILVI_CLIENTS`, or where `cargo xtask clients` puts them. `cargo xtask test` sets both.
//!
//! Whatever goes wrong here panics with what it was and what the programs said: a test has no other use for an error.

mod accounts;
mod api;
mod aws;
pub mod containers;
pub mod engine;
mod folder;
mod followed;
pub mod image;
mod place;
pub mod program;
pub mod raw;
pub mod registry;
mod script;
mod server;
pub mod small_disk;

pub use accounts::Account;
pub use api::Api;
pub use aws::{Aws, Refusal};
pub use folder::{Folder, is_root};
pub use followed::Followed;
pub use place::{clients, docker, image as recipe, pilvi, source};
pub use registry::Registry;
pub use script::Script;
pub use server::{Options, Server, Shared};

/// The region of calls that name none.
pub const REGION: &str = "us-east-1";
