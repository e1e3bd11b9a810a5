//! What a workload asks of the node that it is placed on.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{NetworkMode, PortProtocol, Spec};

/// What a scheduler knows of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Demand {
    /// Processor time, in thousandths of a processor.
    pub cpu_millis: u32,
    /// Memory, in bytes.
    pub memory_bytes: u64,
    /// Disk, in bytes.
    pub disk_bytes: u64,
    /// The host's ports that it must have, each named.
    pub ports: Vec<PortDemand>,
    /// Attributes that the node must have, by name: host binds and their like, where a node's configuration allows them.
    pub attributes: BTreeMap<String, Option<String>>,
}

/// A port of the host that a workload must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortDemand {
    /// The port.
    pub port: u16,
    /// At which address; none is every one.
    pub address: Option<Ipv4Addr>,
    /// What is carried.
    pub protocol: PortProtocol,
}

impl Demand {
    /// What a specification asks for. What needs the node's permission ([`Spec::permissions`]) is an attribute of that name.
    pub fn of(spec: &Spec) -> Self {
        let resources = &spec.resources;
        let fixed =
            spec.network.ports.iter().filter(|port| {
                port.host_port != 0 && matches!(spec.network.mode, NetworkMode::Bridge | NetworkMode::Host)
            });
        Self {
            cpu_millis: resources.cpu_millis_reserved,
            memory_bytes: resources.memory_bytes_reserved,
            disk_bytes: resources.disk_bytes_reserved,
            ports: fixed
                .map(|port| PortDemand { port: port.host_port, address: port.host_address, protocol: port.protocol })
                .collect(),
            attributes: spec.permissions().into_iter().map(|name| (name.to_owned(), None)).collect(),
        }
    }
}
