//! The network as its callers use it, on a machine that each test makes for itself: network namespaces that stand for a host, for
//! what is beyond it, and for workloads. Nothing of the real host's network is touched. It takes root.

// All of this is test code; clippy takes only the functions marked so for it.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod attacks;
mod connecting;
mod killing;
mod names;
mod proxying;
mod publishing;
mod restarting;
mod support;
mod timing;
