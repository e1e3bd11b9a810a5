//! The node: what runs as root on a machine that has images and runs workloads. It knows no word of AWS or Kubernetes.
//!
//! - [`protocol`] is what server and node say to each other at the node's socket.
//! - [`client::Node`] is the server's handle: it connects, repeats and cancels by itself.
//! - [`agent::Agent`] is the node itself: it owns the images' layers below its directory, unpacks them, brings them to the disk,
//!   and removes those that nothing needs. Workloads that are assigned to it it makes true: their networks, volumes, sandboxes and
//!   containers, which outlive its process and are found again by the next one.
//!
//! The server's user owns the blobs, root owns what is unpacked from them. What the server says at the socket is checked like
//! what a stranger says, since it listens to the network and may have been captured: the worst that it can ask for is images and
//! workloads, as many as there is room for, and of workloads what the node's own configuration allows, which root alone writes. Of
//! its blobs nothing is believed: they are verified while they are unpacked.

pub mod agent;
pub mod certificates;
pub mod client;
pub mod gate;
pub mod join;
mod lines;
pub mod protocol;
pub mod supply;
