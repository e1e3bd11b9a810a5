//! Why a node does not take a workload.

use std::fmt;

use workload::{PortDemand, PortProtocol};

use crate::Availability;

/// Why a node does not take a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It takes none at all.
    Unavailable(Availability),
    /// It is not the one that was asked for.
    OtherNode,
    /// It is not what is asked for, or its own configuration does not allow it.
    Attribute {
        /// Which attribute.
        name: String,
        /// The value that it must have, if not any.
        value: Option<String>,
    },
    /// It has as many workloads as a node can have.
    Workloads,
    /// Too little processor time is left, in thousandths of a processor.
    Cpu(Lack),
    /// Too little memory is left, in bytes.
    Memory(Lack),
    /// Too little disk is left, in bytes.
    Disk(Lack),
    /// A port of the host is taken.
    Port(PortDemand),
}

/// That there is too little of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// How much is asked for.
    pub wanted: u64,
    /// How much is left.
    pub free: u64,
    /// How much there is in all.
    pub capacity: u64,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(Availability::Away) => f.write_str("it does not answer"),
            Self::Unavailable(Availability::Lost) => f.write_str("it is lost"),
            Self::Unavailable(Availability::Ready) => f.write_str("it is ready"),
            Self::OtherNode => f.write_str("another node was asked for"),
            Self::Attribute { name, value: None } => write!(f, "it has no attribute {name}"),
            Self::Attribute { name, value: Some(value) } => write!(f, "its attribute {name} is not {value}"),
            Self::Workloads => f.write_str("it has as many workloads as a node can have"),
            Self::Cpu(lack) => {
                let cpus = |millis: u64| format!("{}.{:03}", millis / 1000, millis % 1000);
                let (wanted, free, has) = (cpus(lack.wanted), cpus(lack.free), cpus(lack.capacity));
                write!(f, "{wanted} processors are wanted, {free} of its {has} are free")
            }
            Self::Memory(lack) => lack.in_bytes("memory", f),
            Self::Disk(lack) => lack.in_bytes("disk", f),
            Self::Port(port) => {
                let protocol = if port.protocol == PortProtocol::Tcp { "TCP" } else { "UDP" };
                write!(f, "its {protocol} port {} is taken", port.port)
            }
        }
    }
}

impl Lack {
    fn in_bytes(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes >> 20;
        // What is wanted is rounded up, what is free down: they never look as if it should fit.
        let wanted = self.wanted.div_ceil(1 << 20);
        write!(f, "{wanted} MiB of {what} are wanted, {} of its {} are free", mib(self.free), mib(self.capacity))
    }
}

/// How many nodes refused a workload, by why: what is kept of it while it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusals {
    /// Nodes that take none.
    pub unavailable: u32,
    /// Nodes that are others than the one asked for.
    pub other: u32,
    /// Nodes that lack an attribute.
    pub attribute: u32,
    /// Nodes that have no room for one more, whatever it is.
    pub workloads: u32,
    /// Nodes with too little processor time.
    pub cpu: u32,
    /// Nodes with too little memory.
    pub memory: u32,
    /// Nodes with too little disk.
    pub disk: u32,
    /// Nodes with a port taken.
    pub port: u32,
}

impl Refusals {
    /// Counts one.
    pub fn count(&mut self, refusal: &Refusal) {
        let counted = match refusal {
            Refusal::Unavailable(_) => &mut self.unavailable,
            Refusal::OtherNode => &mut self.other,
            Refusal::Attribute { .. } => &mut self.attribute,
            Refusal::Workloads => &mut self.workloads,
            Refusal::Cpu(_) => &mut self.cpu,
            Refusal::Memory(_) => &mut self.memory,
            Refusal::Disk(_) => &mut self.disk,
            Refusal::Port(_) => &mut self.port,
        };
        *counted = counted.saturating_add(1);
    }

    /// Whether no node will ever take it as they are: each lacks an attribute, or is not the one asked for.
    pub fn are_lasting(&self) -> bool {
        self.attribute > 0
            && [self.unavailable, self.workloads, self.cpu, self.memory, self.disk, self.port].iter().all(|of| *of == 0)
    }
}

/// Without figures that change from moment to moment, so that what is kept of it changes seldom.
impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [
            (self.memory, "with too little memory"),
            (self.cpu, "with too little processor time"),
            (self.disk, "with too little disk"),
            (self.port, "where the port is taken"),
            (self.workloads, "with as many workloads as there may be"),
            (self.attribute, "where it is not allowed or possible"),
            (self.unavailable, "out of service"),
            (self.other, "by another name"),
        ];
        let told: Vec<String> = kinds
            .into_iter()
            .filter(|(nodes, _)| *nodes > 0)
            .map(|(nodes, what)| format!("{nodes} {} {what}", if nodes == 1 { "node" } else { "nodes" }))
            .collect();
        if told.is_empty() { f.write_str("there is no node") } else { f.write_str(&told.join(", ")) }
    }
}
