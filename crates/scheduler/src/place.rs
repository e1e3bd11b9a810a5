//! Many workloads to many nodes.

use std::collections::HashMap;

use workload::{Demand, NodeId, PortDemand, WorkloadId};

use crate::index::Index;
use crate::{Node, Refusal, Refusals};

/// All nodes, as they were at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A workload that has no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Which.
    pub id: WorkloadId,
    /// What it asks for.
    pub demand: Demand,
    /// The node that it must be on, if not any.
    pub node: Option<NodeId>,
}

/// Where workloads go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Those that found a node, in the order in which they were given.
    pub placed: Vec<Placed>,
    /// Those that did not.
    pub refused: Vec<Refused>,
}

/// A workload that found a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Which.
    pub id: WorkloadId,
    /// Where it goes.
    pub node: NodeId,
}

/// A workload that found no node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub id: WorkloadId,
    /// Why.
    pub refusals: Refusals,
}

/// What of a demand decides where it fits; two that are equal in it are refused by the same nodes.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape {
    amounts: (u32, u64, u64),
    ports: Vec<PortDemand>,
    attributes: Vec<(String, Option<String>)>,
    node: Option<NodeId>,
}

impl Shape {
    fn of(pending: &Pending) -> Self {
        let Demand { cpu_millis, memory_bytes, disk_bytes, ports, attributes } = &pending.demand;
        Self {
            amounts: (*cpu_millis, *memory_bytes, *disk_bytes),
            ports: ports.clone(),
            attributes: attributes.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            node: pending.node.clone(),
        }
    }
}

/// Finds a node for each workload, one after the other: of the nodes that take it the one with the least memory left, then
/// the least processor time, then the first by name. What one is given, the next ones do not find any more.
pub fn place(snapshot: &Snapshot, pending: &[Pending]) -> Plan {
    let mut index = Index::of(&snapshot.nodes);
    let mut plan = Plan::default();
    // Nodes only fill up while this goes on: what was refused once stays refused.
    let mut refused: HashMap<Shape, Refusals> = HashMap::new();
    for one in pending {
        let shape = Shape::of(one);
        if let Some(refusals) = refused.get(&shape) {
            plan.refused.push(Refused { id: one.id.clone(), refusals: *refusals });
            continue;
        }
        match index.take(one) {
            Some(node) => plan.placed.push(Placed { id: one.id.clone(), node }),
            None => {
                let refusals = index.refusals(one);
                plan.refused.push(Refused { id: one.id.clone(), refusals });
                refused.insert(shape, refusals);
            }
        }
    }
    plan
}

/// Why each node does not take a workload, in the order of the snapshot; nothing for one that does.
pub fn explain<'a>(snapshot: &'a Snapshot, pending: &Pending) -> Vec<(&'a NodeId, Option<Refusal>)> {
    snapshot.nodes.iter().map(|node| (&node.id, refusal(node, pending))).collect()
}

/// Why a node does not take a workload.
pub(crate) fn refusal(node: &Node, pending: &Pending) -> Option<Refusal> {
    if pending.node.as_ref().is_some_and(|wanted| *wanted != node.id) {
        return Some(Refusal::OtherNode);
    }
    node.refusal(&pending.demand)
}

#[cfg(test)]
mod tests;
