//! The network as its callers use it, on a machine that each test makes for itself: network namespaces that stand for a host, for
//! what is beyond it, and for workloads. Nothing of the real host's network is touched. It takes root.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic as tests do")]

mod attacks;
mod connecting;
mod names;
mod proxying;
mod publishing;
mod restarting;
mod support;
mod timing;
