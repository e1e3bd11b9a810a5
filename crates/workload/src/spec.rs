//! What is wanted.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::Container;

/// What a workload is. It does not change while the workload lives; what it is made of may be secret (environments), so it
/// is never logged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spec {
    /// Its containers, 1 to [`CONTAINERS_MAX`](crate::limits::CONTAINERS_MAX), in the order in which they start unless they
    /// depend on each other.
    pub containers: Vec<Container>,
    /// The directories that containers mount.
    pub volumes: Vec<Volume>,
    /// How it reaches others and is reached.
    pub network: Network,
    /// What is set aside for it, and what it may use as a whole.
    pub resources: Resources,
    /// Its host name; the first 12 digits of its id, if none is given.
    pub hostname: Option<String>,
    /// Further lines of `/etc/hosts`.
    pub hosts: Vec<HostEntry>,
    /// How far its containers are kept from the host and from each other.
    pub isolation: Isolation,
    /// What local service its containers find at the link-local address beside the endpoint, by a name that the binary
    /// knows; none by default.
    pub local_service: Option<String>,
    /// What whoever wanted it notes about it. Says nothing to the node.
    pub labels: BTreeMap<String, String>,
}

/// What is to become of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Desired {
    /// It runs until it ends by itself.
    #[default]
    Running,
    /// It is stopped: containers get their stop signal, and are killed after their stop timeouts.
    Stopped {
        /// Instead of the containers' own stop timeouts, in seconds; 0 kills at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_s: Option<u32>,
        /// Why, for a person.
        reason: String,
    },
}

/// A directory that containers share or keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// What containers mount it by.
    pub name: String,
    /// Where it comes from.
    pub source: VolumeSource,
}

/// Where a volume comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VolumeSource {
    /// An empty directory on disk that ends with the workload.
    Scratch {
        /// How much fits, in bytes; as much as the disk has, if none is given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes_max: Option<u64>,
    },
    /// A directory of the node's that outlives the workload, made when it is first named. `scope` keeps those of different
    /// tenants apart.
    Named {
        /// Whose it is.
        scope: String,
        /// Its name there.
        name: String,
    },
    /// A directory or file of the host. Refused unless the node's own configuration allows it.
    Host {
        /// Its absolute path on the host.
        path: String,
        /// Whether a directory is made if nothing is there.
        #[serde(default)]
        create: bool,
    },
    /// Memory, which counts as the workload's.
    Memory {
        /// How much fits, in bytes.
        bytes_max: u64,
    },
    /// What archives hold, unpacked by the node ahead of time, one over the other: of two files of one name the later archive's is
    /// seen. Nothing of it can be written to.
    Archive {
        /// The digests of the archives' blobs (`sha256:…`), 1 to [`ARCHIVES_MAX`](crate::limits::ARCHIVES_MAX).
        archives: Vec<String>,
    },
    /// Files given with the workload: configuration and secrets, kept in memory.
    Files {
        /// Content by path within the volume; base64.
        files: BTreeMap<String, String>,
    },
}

/// How a workload reaches others and is reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Network {
    /// What it is given.
    pub mode: NetworkMode,
    /// Ports of the host that lead to it.
    pub ports: Vec<PublishedPort>,
    /// Workloads of the same group reach each other; others do not. One with no group is alone.
    pub group: Option<String>,
    /// Names by which those of its group find it.
    pub aliases: Vec<String>,
}

/// What network a workload is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NetworkMode {
    /// A namespace of its own with an address on the node's bridge; published ports lead there.
    #[default]
    Bridge,
    /// The same, and the address is the workload's own by which everything reaches it, ports included: ECS's awsvpc, a pod.
    Address,
    /// The host's namespace. Refused unless the node's own configuration allows it.
    Host,
    /// A namespace of its own in which there is loopback, and the link-local services, alone.
    None,
}

/// A port of the host that leads to a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedPort {
    /// The port that a container listens at.
    pub container_port: u16,
    /// The host's port; 0 takes a free one from the node's range.
    pub host_port: u16,
    /// The host's address at which it listens; the node's setting (loopback), if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_address: Option<Ipv4Addr>,
    /// What is carried.
    pub protocol: PortProtocol,
}

/// What a port carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PortProtocol {
    /// Connections.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

/// What is set aside for a workload and what it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Processor time set aside when it is placed, in thousandths of a processor.
    pub cpu_millis_reserved: u32,
    /// Memory set aside when it is placed, in bytes.
    pub memory_bytes_reserved: u64,
    /// Disk set aside when it is placed, in bytes.
    pub disk_bytes_reserved: u64,
    /// The most processor time that all its containers use together, in thousandths of a processor.
    pub cpu_millis_max: Option<u32>,
    /// The most memory that all its containers use together, in bytes.
    pub memory_bytes_max: Option<u64>,
    /// The most that all its containers write to their root file systems and scratch volumes together, in bytes.
    pub disk_bytes_max: Option<u64>,
    /// The most processes and threads that all its containers have together.
    pub pids_max: Option<u32>,
}

/// A line of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostEntry {
    /// The address.
    pub address: std::net::IpAddr,
    /// The names.
    pub names: Vec<String>,
}

/// How far containers are kept from the host and from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Isolation {
    /// The containers' users, root included, are others outside: a user namespace of the workload's own.
    pub user_namespace: bool,
    /// Containers see each other's processes.
    pub share_processes: bool,
    /// Containers share System V IPC and POSIX message queues. Off by default: each has its own.
    pub share_ipc: bool,
    /// The host's processes are seen. Refused unless the node's own configuration allows it.
    pub host_processes: bool,
    /// The host's IPC is used. Refused unless the node's own configuration allows it.
    pub host_ipc: bool,
}
