//! Nodes in the order in which they are tried.

use std::collections::{BTreeMap, BTreeSet};

use workload::NodeId;

use crate::place::refusal;
use crate::{Availability, Node, Pending, Refusals};

/// Nodes by what is left of them. A workload is tried on those alone that have memory for it, the fullest first: the first
/// that takes it is the one.
pub(crate) struct Index {
    nodes: Vec<Node>,
    /// Memory left, processor time left, place in `nodes`. Nodes that take nothing are not in it.
    by_free: BTreeSet<(u64, u64, usize)>,
    by_name: BTreeMap<NodeId, usize>,
}

impl Index {
    pub(crate) fn of(nodes: &[Node]) -> Self {
        let mut nodes = nodes.to_vec();
        nodes.sort_by(|one, other| one.id.cmp(&other.id));
        let ready = |(_, node): &(usize, &Node)| node.availability == Availability::Ready;
        let by_free = nodes.iter().enumerate().filter(ready).map(|(place, node)| entry(place, node)).collect();
        let by_name = nodes.iter().enumerate().map(|(place, node)| (node.id.clone(), place)).collect();
        Self { nodes, by_free, by_name }
    }

    /// Finds a node for a workload and sets aside what it asks for.
    pub(crate) fn take(&mut self, pending: &Pending) -> Option<NodeId> {
        let place = self.find(pending)?;
        let node = &mut self.nodes[place];
        self.by_free.remove(&entry(place, node));
        node.reserved.add(&pending.demand);
        self.by_free.insert(entry(place, node));
        Some(node.id.clone())
    }

    fn find(&self, pending: &Pending) -> Option<usize> {
        let takes = |place: &usize| refusal(&self.nodes[*place], pending).is_none();
        if let Some(wanted) = &pending.node {
            return self.by_name.get(wanted).copied().filter(takes);
        }
        let with_memory = self.by_free.range((pending.demand.memory_bytes, 0, 0)..);
        with_memory.map(|(_, _, place)| *place).find(takes)
    }

    /// Why no node takes a workload.
    pub(crate) fn refusals(&self, pending: &Pending) -> Refusals {
        let mut refusals = Refusals::default();
        self.nodes.iter().filter_map(|node| refusal(node, pending)).for_each(|refusal| refusals.count(&refusal));
        refusals
    }
}

fn entry(place: usize, node: &Node) -> (u64, u64, usize) {
    let free = node.free();
    (free.memory_bytes, free.cpu_millis, place)
}
