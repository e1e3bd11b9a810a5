//! Which node a sandbox is started on, and what of each is taken by those that run.
//!
//! What is set aside for workloads that are written down stands in the nodes' records. Functions come and go too fast for that:
//! what they take is remembered here alone, and ends with this process as they do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lambda::environment::host::CannotStart;
use platform::workloads::Node;
use scheduler::{Availability, Pending, Reserved, Snapshot};
use store::Versioned;
use workload::{Demand, NodeId};

const MIB: u64 = 1024 * 1024;

/// What functions take, by node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Room(Arc<Mutex<BTreeMap<NodeId, Reserved>>>);

/// A sandbox's room on a node; given back when this is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Room,
    node: NodeId,
    demand: Demand,
}

impl Room {
    /// Takes room for a sandbox: on `first`, if it is there, else where the scheduler says.
    ///
    /// # Errors
    /// [`CannotStart::NoRoom`] if there will be some as soon as others have ended, [`CannotStart::Failed`] if no node is that large.
    pub(super) fn take(
        &self,
        nodes: &[Versioned<Node>],
        first: &NodeId,
        demand: &Demand,
    ) -> Result<Taken, CannotStart> {
        let mut all = self.all();
        let nodes: Vec<scheduler::Node> = nodes.iter().filter_map(|node| seen(node, &all)).collect();
        let is_first = |node: &&scheduler::Node| node.id == *first && node.refusal(demand).is_none();
        let found = match nodes.iter().find(is_first) {
            Some(node) => Some(node.id.clone()),
            None => anywhere(&nodes, demand),
        };
        let Some(node) = found else { return Err(refused(&nodes, demand)) };
        all.entry(node.clone()).or_default().add(demand);
        Ok(Taken { room: self.clone(), node, demand: demand.clone() })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<NodeId, Reserved>> {
        // Adding and subtracting cannot panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Where it is.
    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut all = self.room.all();
        if let Some(reserved) = all.get_mut(&self.node) {
            reserved.subtract(&self.demand);
            if reserved.workloads == 0 {
                all.remove(&self.node);
            }
        }
    }
}

/// A node, with what functions take of it.
fn seen(node: &Versioned<Node>, taken: &BTreeMap<NodeId, Reserved>) -> Option<scheduler::Node> {
    let id: NodeId = node.name().parse().ok()?;
    let mut reserved = node.reserved.clone();
    if let Some(taken) = taken.get(&id) {
        reserved.workloads = reserved.workloads.saturating_add(taken.workloads);
        reserved.cpu_millis = reserved.cpu_millis.saturating_add(taken.cpu_millis);
        reserved.memory_bytes = reserved.memory_bytes.saturating_add(taken.memory_bytes);
        reserved.disk_bytes = reserved.disk_bytes.saturating_add(taken.disk_bytes);
    }
    let (availability, capacity, attributes) = (node.availability, node.capacity, node.attributes.clone());
    Some(scheduler::Node { id, availability, capacity, reserved, attributes })
}

fn anywhere(nodes: &[scheduler::Node], demand: &Demand) -> Option<NodeId> {
    let snapshot = Snapshot { nodes: nodes.to_vec() };
    // Nobody else is placed together with it, so its name tells it from nobody.
    let id = "0".repeat(workload::WorkloadId::LENGTH).parse().ok()?;
    let pending = Pending { id, demand: demand.clone(), node: None };
    scheduler::place(&snapshot, &[pending]).placed.into_iter().next().map(|placed| placed.node)
}

/// Why nobody takes it.
fn refused(nodes: &[scheduler::Node], demand: &Demand) -> CannotStart {
    let is_ready = |node: &&scheduler::Node| node.availability == Availability::Ready;
    let has_enough = |node: &scheduler::Node| {
        node.capacity.memory_bytes >= demand.memory_bytes && node.capacity.disk_bytes >= demand.disk_bytes
    };
    let mut ready = nodes.iter().filter(is_ready).peekable();
    if ready.peek().is_none() || ready.clone().any(has_enough) {
        return CannotStart::NoRoom;
    }
    let most = |of: fn(&scheduler::Node) -> u64| ready.clone().map(of).max().unwrap_or_default() / MIB;
    CannotStart::Failed(format!(
        "No machine is large enough: the function takes {} MiB of memory and {} MiB of disk, the largest machine has {} and {}.",
        demand.memory_bytes / MIB,
        demand.disk_bytes / MIB,
        most(|node| node.capacity.memory_bytes),
        most(|node| node.capacity.disk_bytes),
    ))
}

#[cfg(test)]
mod tests {
    use scheduler::Capacity;

    use super::*;

    fn node(name: &str, memory_mib: u64) -> scheduler::Node {
        scheduler::Node {
            id: name.parse().unwrap(),
            availability: Availability::Ready,
            capacity: Capacity { cpu_millis: 1000, memory_bytes: memory_mib * MIB, disk_bytes: 1024 * MIB },
            reserved: Reserved::default(),
            attributes: BTreeMap::new(),
        }
    }

    fn wants(memory_mib: u64) -> Demand {
        Demand { memory_bytes: memory_mib * MIB, ..Demand::default() }
    }

    #[test]
    fn what_can_never_fit_is_told_apart_from_what_has_to_wait() {
        let nodes = [node("a", 100), node("b", 200)];
        assert_eq!(refused(&nodes, &wants(200)), CannotStart::NoRoom);
        let CannotStart::Failed(told) = refused(&nodes, &wants(201)) else { panic!("it is said to fit some time") };
        assert!(told.contains("201 MiB") && told.contains("has 200 and 1024"), "{told}");
        assert_eq!(refused(&[], &wants(1)), CannotStart::NoRoom, "a node may still come");
    }

    #[test]
    fn room_is_given_back_when_a_sandbox_is_gone() {
        let room = Room::default();
        let (id, demand): (NodeId, _) = ("a".parse().unwrap(), wants(60));
        let taken = Taken { room: room.clone(), node: id.clone(), demand: demand.clone() };
        room.all().entry(id.clone()).or_default().add(&demand);
        assert_eq!(room.all()[&id].memory_bytes, 60 * MIB);
        drop(taken);
        assert!(room.all().is_empty());
    }
}
