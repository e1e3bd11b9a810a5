//! Placement: which node a workload runs on. A pure function of what nodes have and what is on them; it reads no clock and no
//! store, and the same question always gets the same answer.
//!
//! - [`place`] finds a node for each of many workloads: one that can take it, and of these the fullest, so that the large
//!   ones still find room elsewhere.
//! - [`explain`] tells for every node why it does not take a workload.

mod index;
mod node;
mod place;
mod refusal;

pub use node::{Availability, Capacity, Node, Reserved, WORKLOADS_A_NODE_MAX};
pub use place::{Pending, Placed, Plan, Refused, Snapshot, explain, place};
pub use refusal::{Lack, Refusal, Refusals};
