//! What connects workloads: network namespaces, addresses, published ports, names, and the link-local services by which a
//! workload finds what is served for it alone.
//!
//! **Shape.** Every workload's namespace hangs on a link of its own (a veth pair), and the host routes to its one address.
//! Workloads share no wire: nobody's ARP, broadcast or MAC address reaches another. The link's name is made of the node's tag and
//! the address's place in the subnet, so a packet's source is checked against the link that it came from. The device
//! `pv-<tag>` holds the gateway's address and nothing else.
//!
//! **Who reaches whom** is decided in one nft table of the node's own, `inet pilvi_<tag>`, through maps by address:
//!
//! | from | to | |
//! | --- | --- | --- |
//! | a workload | one of the same group | yes |
//! | a workload | another | no, but for what that one publishes |
//! | a workload | the host | no, but for what is published there |
//! | a workload | 169.254.0.0/16, 127.0.0.0/8, multicast, what the settings deny | no |
//! | a workload | elsewhere | yes, as the host (masqueraded) |
//! | the host | a workload | yes |
//! | elsewhere | a workload | what it publishes |
//!
//! **Link-local services** are sockets inside each namespace, on its loopback: the namespace tells who asks, and there is nothing
//! to forge. They listen at ports that no program uses; packets to and from the well-known ones are rewritten in the namespace, so
//! that a container can still listen at `0.0.0.0:80` or `:53`.
//!
//! **Without nft** nothing is wired at all: a namespace has loopback and the link-local services, and what is published goes through
//! a proxy in this process that connects inside the namespace. [`Network::what_is_missing`] says so.
//!
//! **State.** A record per workload in the settings' directory and what the kernel says; [`Network::adopt`] makes the two one again
//! after a restart of the node. Namespaces are held by whoever runs in them and by descriptors, so a namespace that nobody took
//! ends with the process.
//!
//! IPv4 alone: IPv6 is off in the namespaces but for loopback.

mod attached;
mod attachment;
mod doomed;
mod error;
mod firewall;
mod flows;
mod host;
mod inner;
pub mod limits;
mod link;
mod mend;
mod namespace;
mod netlink;
mod network;
mod nf;
mod place;
mod pool;
mod port;
mod proxy;
mod record;
mod resolver;
mod settings;
mod sockets;
mod tasks;
mod wire;
mod wish;

pub use attached::{Adopted, Attached, LinkLocal, Living, Traffic};
pub use error::Error;
pub use network::Network;
/// What the resolver reads, for whoever feeds it what strangers send.
pub use resolver::Question;
pub use settings::{Settings, Subnet};
