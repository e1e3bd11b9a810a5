//! Images and registries, for the benchmarks that move them.
//!
//! [`connection`] is a client whose own price is small and the same for every registry; [`registry`] pushes and pulls with
//! it; [`blob`] has images of bytes without a meaning, [`tree`] one of real files, which [`layer`] archives and compresses;
//! [`docker_registry`] is the peer.

pub(crate) mod blob;
pub(crate) mod connection;
pub(crate) mod contents;
pub(crate) mod docker_registry;
pub(crate) mod layer;
pub(crate) mod registry;
pub(crate) mod tree;
