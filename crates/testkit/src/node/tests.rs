//! Workloads and the loops of nodes, over nodes that only say what they do.

mod bed;
mod chaos;
mod ends;
mod faults;
mod images;
mod many;
mod placing;
mod shipping;
