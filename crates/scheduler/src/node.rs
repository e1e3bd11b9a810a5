//! What a node has, and what of it is set aside.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use workload::{Demand, NodeId, PortDemand};

use crate::{Lack, Refusal};

/// The most workloads on one node: as many as its bridge has addresses for.
pub const WORKLOADS_A_NODE_MAX: u32 = 4000;

/// A node, as placement sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub id: NodeId,
    /// Whether it takes workloads at all.
    pub availability: Availability,
    /// What it has.
    pub capacity: Capacity,
    /// What of it is set aside.
    pub reserved: Reserved,
    /// Facts about it, and what its own configuration allows.
    pub attributes: BTreeMap<String, Option<String>>,
}

/// Whether a node takes workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Availability {
    /// It does.
    #[default]
    Ready,
    /// It does not answer.
    Away,
    /// It is lost, and all that ran on it.
    Lost,
}

/// What workloads may use of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Capacity {
    /// Processor time, in thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Disk, in bytes.
    pub disk_bytes: u64,
}

/// What is set aside of a node for the workloads that are placed on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reserved {
    /// How many workloads that are.
    pub workloads: u32,
    /// Processor time, in thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Disk, in bytes.
    pub disk_bytes: u64,
    /// Ports of the host.
    pub ports: BTreeSet<PortDemand>,
}

impl Reserved {
    /// Sets aside what a workload asks for.
    pub fn add(&mut self, demand: &Demand) {
        self.workloads = self.workloads.saturating_add(1);
        self.cpu_millis = self.cpu_millis.saturating_add(u64::from(demand.cpu_millis));
        self.memory_bytes = self.memory_bytes.saturating_add(demand.memory_bytes);
        self.disk_bytes = self.disk_bytes.saturating_add(demand.disk_bytes);
        self.ports.extend(&demand.ports);
    }

    /// Gives back what was set aside for a workload.
    pub fn subtract(&mut self, demand: &Demand) {
        self.workloads = self.workloads.saturating_sub(1);
        self.cpu_millis = self.cpu_millis.saturating_sub(u64::from(demand.cpu_millis));
        self.memory_bytes = self.memory_bytes.saturating_sub(demand.memory_bytes);
        self.disk_bytes = self.disk_bytes.saturating_sub(demand.disk_bytes);
        for port in &demand.ports {
            self.ports.remove(port);
        }
    }

    /// Whether a port that is wanted is another's already. No address is every one, so it meets all of them.
    fn has_taken(&self, wanted: &PortDemand) -> bool {
        let overlaps = |taken: &PortDemand| {
            taken.protocol == wanted.protocol
                && (taken.address.is_none() || wanted.address.is_none() || taken.address == wanted.address)
        };
        // Ports come first in the order of the set.
        let first = PortDemand { address: None, protocol: workload::PortProtocol::Tcp, ..*wanted };
        self.ports.range(first..).take_while(|taken| taken.port == wanted.port).any(overlaps)
    }
}

impl Node {
    /// What is left of the node. What was set aside before it shrank may be more than it has.
    pub fn free(&self) -> Capacity {
        Capacity {
            cpu_millis: self.capacity.cpu_millis.saturating_sub(self.reserved.cpu_millis),
            memory_bytes: self.capacity.memory_bytes.saturating_sub(self.reserved.memory_bytes),
            disk_bytes: self.capacity.disk_bytes.saturating_sub(self.reserved.disk_bytes),
        }
    }

    /// Why the node does not take a workload; nothing if it does. Of one that is there, what will not change by itself is
    /// told first: a workload that waits for memory will get it, one that waits for a permission will not.
    pub fn refusal(&self, demand: &Demand) -> Option<Refusal> {
        // What it allows may be something else when it is back.
        if self.availability != Availability::Ready {
            return Some(Refusal::Unavailable(self.availability));
        }
        let lacking = demand.attributes.iter().find(|(name, value)| match self.attributes.get(*name) {
            Some(has) => value.is_some() && has != *value,
            None => true,
        });
        if let Some((name, value)) = lacking {
            return Some(Refusal::Attribute { name: name.clone(), value: value.clone() });
        }
        if self.reserved.workloads >= WORKLOADS_A_NODE_MAX {
            return Some(Refusal::Workloads);
        }
        let (free, has) = (self.free(), self.capacity);
        let lack = |wanted: u64, free: u64, capacity: u64| (wanted > free).then_some(Lack { wanted, free, capacity });
        if let Some(lack) = lack(demand.memory_bytes, free.memory_bytes, has.memory_bytes) {
            return Some(Refusal::Memory(lack));
        }
        if let Some(lack) = lack(u64::from(demand.cpu_millis), free.cpu_millis, has.cpu_millis) {
            return Some(Refusal::Cpu(lack));
        }
        if let Some(lack) = lack(demand.disk_bytes, free.disk_bytes, has.disk_bytes) {
            return Some(Refusal::Disk(lack));
        }
        demand.ports.iter().find(|port| self.reserved.has_taken(port)).map(|port| Refusal::Port(*port))
    }
}
