//! What a workload is given.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;

use workload::{PortBinding, WorkloadId};

use crate::Error;

/// What a workload is given.
#[derive(Debug)]
pub struct Attached {
    /// Its namespace; none where it is the host's.
    pub namespace: Option<OwnedFd>,
    /// Its address, where it has one of its own.
    pub address: Option<Ipv4Addr>,
    /// Where its packets to everybody else go.
    pub gateway: Option<Ipv4Addr>,
    /// The host's ports that lead to it.
    pub ports: Vec<PortBinding>,
    /// What is served for it alone.
    pub listeners: LinkLocal,
    /// What `/etc/resolv.conf` has to say.
    pub resolv_conf: String,
    /// The lines that `/etc/hosts` must have; its own name beside [`address`](Self::address) is for whoever knows the name to add.
    pub hosts: Vec<(IpAddr, String)>,
}

/// Sockets that the workload alone reaches: in its namespace or, where that is the host's, at a port of loopback that everybody on the
/// host reaches, so that there something unguessable must be asked for. They do not block.
#[derive(Debug)]
pub struct LinkLocal {
    /// For local services of the workload's kind.
    pub services: TcpListener,
    /// By which address and port the workload reaches [`services`](Self::services): 169.254.170.2:80, if not the host's.
    pub services_at: SocketAddrV4,
    /// For the API's endpoint.
    pub endpoint: TcpListener,
    /// By which address and port the workload reaches [`endpoint`](Self::endpoint): 169.254.170.2:4566, if not the host's.
    pub endpoint_at: SocketAddrV4,
}

/// A workload that outlived the node's process.
#[derive(Debug)]
pub struct Living {
    /// Its name.
    pub id: WorkloadId,
    /// What it was attached with.
    pub wanted: workload::Network,
    /// Its namespace; none where it is the host's.
    pub namespace: Option<OwnedFd>,
}

/// What came of a workload that outlived the node's process: what it has, or why it has nothing any more.
pub type Adopted = (WorkloadId, Result<Attached, Error>);

/// How much went through a workload's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes that it received.
    pub received_bytes: u64,
    /// Bytes that it sent.
    pub sent_bytes: u64,
    /// Packets that it received.
    pub received_packets: u64,
    /// Packets that it sent.
    pub sent_packets: u64,
}
