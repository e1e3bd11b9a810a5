//! What a shim is told to make, as plain data. Whoever makes a plan (the node) has looked up everything that is of the host;
//! what is of the container's own root (users, paths) is looked up within it, by the container's process itself.
//!
//! Mounts are handed over as descriptors of mounts that are attached nowhere: no path of the host is in a plan, none is
//! resolved by a shim, and no mount is ever seen on the host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What containers of a workload share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// The host name.
    pub hostname: String,
    /// The network namespace: the message's descriptor, or one that it finds itself in.
    pub network: NetworkNamespace,
    /// Users of the sandbox as users of the host; none shares the host's.
    pub users: Option<IdRange>,
    /// Containers are in the sandbox's process namespace instead of one of their own within it.
    pub share_processes: bool,
    /// Containers are in the sandbox's IPC namespace instead of one of their own.
    pub share_ipc: bool,
    /// The host's processes are seen.
    pub host_processes: bool,
    /// The host's IPC is used.
    pub host_ipc: bool,
    /// Kernel settings of the network and IPC namespaces, by name with dots.
    pub sysctls: BTreeMap<String, String>,
    /// Where the sandbox's own process is counted.
    pub cgroup: CgroupPlan,
    /// Everything ends with the connection that this came by: no node that comes later would know what to do with it.
    #[serde(default)]
    pub ends_with_connection: bool,
}

/// Where a sandbox's network namespace comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NetworkNamespace {
    /// It is the message's first descriptor.
    Given,
    /// A new one, in which loopback is up and nothing else is.
    New,
    /// The host's.
    Host,
}

/// A range of users and groups of the host that a user namespace maps its own from 0 on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first on the host.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// A container that is to be made: everything about it but what it executes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// Its name, which is unique in the sandbox.
    pub name: String,
    /// Whether the root cannot be written to. The root itself is the message's first descriptor.
    pub read_only_root: bool,
    /// What is mounted beside what every container has, in order, each after its parents.
    pub mounts: Vec<MountPlan>,
    /// The size of `/dev/shm` in bytes.
    pub shm_bytes: u64,
    /// Where its processes are counted.
    pub cgroup: CgroupPlan,
    /// Devices beside the usual ones.
    pub devices: Vec<DevicePlan>,
    /// Capabilities that its processes have, by their numbers' bits.
    pub capabilities: u64,
    /// The system calls that it may make.
    pub seccomp: SeccompPlan,
    /// No program that it executes gains rights.
    pub no_new_privileges: bool,
    /// Everything is allowed: no path is masked, every device is there.
    pub privileged: bool,
    /// Limits of `setrlimit(2)`. What is beyond the shim's own hard limit is clamped to it.
    pub rlimits: Vec<RlimitPlan>,
    /// Kernel settings of namespaces that are the container's own.
    pub sysctls: BTreeMap<String, String>,
    /// A small init is process 1 and reaps orphans.
    pub init: bool,
    /// A terminal is its input and output.
    pub tty: Option<TerminalSize>,
    /// Its input stays open until it is closed.
    pub stdin: bool,
    /// How much of its output is kept, in bytes.
    pub output_bytes_max: u64,
}

/// Something that is mounted in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountPlan {
    /// What.
    pub source: MountSource,
    /// Where, absolute within the container. It is made if it is not there; links in it are followed within the root.
    pub target: String,
    /// What is forbidden there.
    pub flags: MountFlags,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// The message's next descriptor, in the order of those mounts that have one.
    Given,
    /// Memory.
    Tmpfs {
        /// How much fits, in bytes.
        bytes_max: u64,
        /// The mode of its root directory.
        mode: u32,
        /// The owner of its root directory, in the container.
        uid: u32,
        /// The group of its root directory, in the container.
        gid: u32,
    },
}

/// What is forbidden at a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MountFlags {
    /// Writing.
    pub read_only: bool,
    /// Executing.
    pub no_exec: bool,
    /// Gaining rights by executing.
    pub no_suid: bool,
    /// Device files.
    pub no_dev: bool,
}

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePlan {
    /// Where it is in the container.
    pub path: String,
    /// Whether it is a block device.
    pub block: bool,
    /// Its numbers.
    pub major: u32,
    /// Its numbers.
    pub minor: u32,
    /// The file's mode.
    pub mode: u32,
}

/// The system calls that a container may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeccompPlan {
    /// Those of the default profile for the container's capabilities.
    Default,
    /// All.
    Unconfined,
}

/// A limit of `setrlimit(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RlimitPlan {
    /// `RLIMIT_…`, by its number.
    pub resource: u32,
    /// What holds; `u64::MAX` is none.
    pub soft: u64,
    /// What it can be raised to; `u64::MAX` is none.
    pub hard: u64,
}

/// Where processes are counted. Made by the node; a process of the shim's enters it before it has any namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupPlan {
    /// Directories, absolute on the host: one for each hierarchy of version 1, one alone for version 2.
    pub directories: Vec<String>,
}

/// What a container, or an exec in it, executes. Environments hold secrets: they print as their number.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPlan {
    /// The program, looked up in the environment's `PATH` unless there is a `/` in it, and its arguments.
    pub args: Vec<String>,
    /// `NAME=value`.
    pub env: Vec<String>,
    /// Where it starts; absolute. If it is not there, it is made for a container's own program; for others that is an error.
    pub working_dir: String,
    /// `user`, `uid`, `user:group`, `uid:gid` or mixtures, looked up in the container's own files; empty is 0.
    pub user: String,
    /// Further groups, by number.
    pub groups: Vec<u32>,
}

impl std::fmt::Debug for ProcessPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessPlan")
            .field("args", &self.args.len())
            .field("env", &self.env.len())
            .field("working_dir", &self.working_dir)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What a prepared container receives with what it executes: files and mounts that were not known when it was made.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateParts {
    /// Mounts, whose descriptors are the message's.
    pub mounts: Vec<MountPlan>,
    /// Files, which are written to the container's root as its root user.
    pub files: Vec<LateFile>,
}

impl std::fmt::Debug for LateParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LateParts").field("mounts", &self.mounts).field("files", &self.files.len()).finish()
    }
}

/// A file that a prepared container receives.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateFile {
    /// Where, absolute within the container.
    pub path: String,
    /// What; base64 as JSON.
    pub content: String,
    /// Its mode.
    pub mode: u32,
}

/// How large a terminal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Characters of a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}
