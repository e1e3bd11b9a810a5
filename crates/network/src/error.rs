//! What can go wrong.

use std::io;
use std::net::Ipv4Addr;

use workload::{PortProtocol, WorkloadId};

use crate::Subnet;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The settings cannot be.
    #[error("the network's settings: {problem}")]
    Settings {
        /// What is wrong.
        problem: String,
    },
    /// The workload's own wish cannot be.
    #[error("{problem}")]
    Refused {
        /// What is wrong.
        problem: String,
    },
    /// The workload has a network already.
    #[error("workload {0} is attached already")]
    Attached(WorkloadId),
    /// The workload has no network.
    #[error("workload {0} is not attached")]
    Unknown(WorkloadId),
    /// What the workload had is there no more.
    #[error("workload {id}: {problem}")]
    Lost {
        /// The workload.
        id: WorkloadId,
        /// What is not there.
        problem: String,
    },
    /// Somebody has the port.
    #[error("port {port}/{} of {address} is in use", protocol_name(*.protocol))]
    PortTaken {
        /// The host's address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
        /// What it carries.
        protocol: PortProtocol,
    },
    /// Every port that could be given is in use.
    #[error("no port of {address} from {} to {} is free", range[0], range[1])]
    NoPort {
        /// The host's address.
        address: Ipv4Addr,
        /// First and last.
        range: [u16; 2],
    },
    /// Every address is in use.
    #[error("no address of {0} is free")]
    NoAddress(Subnet),
    /// Nothing is free for workloads' addresses.
    #[error("every range of addresses for workloads is in use on this host; name one in the node's configuration")]
    NoSubnet,
    /// Others have the range.
    #[error("the host has a route to {taken} already, so {wanted} cannot be the workloads' addresses")]
    SubnetTaken {
        /// The range that was wanted.
        wanted: Subnet,
        /// What it overlaps.
        taken: Subnet,
    },
    /// nft refused.
    #[error("nft: {problem}")]
    Nft {
        /// What it said.
        problem: String,
    },
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: what was tried.
    pub(crate) fn io<E: Into<io::Error>>(what: impl Into<String>) -> impl FnOnce(E) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source: source.into() }
    }
}

pub(crate) fn protocol_name(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
    }
}
