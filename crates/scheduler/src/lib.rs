//! Placement: which node a workload runs on. A pure function of what nodes have and what is on them; it reads no clock and no
//! store, and the same question always gets the same answer.
