//! One container of a workload.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A container. What is not given here comes from its image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Its name within the workload: letters, digits, `-`, `_`, at most 255 bytes.
    pub name: String,
    /// The image, as a registry names it.
    pub image: String,
    /// Instead of the image's entry point; an empty list takes none.
    pub entrypoint: Option<Vec<String>>,
    /// Instead of the image's command.
    pub command: Option<Vec<String>>,
    /// Added to the image's environment, or in place of what has the same name there.
    pub env: Vec<EnvVar>,
    /// Instead of the image's working directory; absolute.
    pub working_dir: Option<String>,
    /// Instead of the image's user: `user`, `uid`, `user:group`, `uid:gid` and their mixtures.
    pub user: Option<String>,
    /// A terminal is its input and output.
    pub tty: bool,
    /// Its input stays open for whoever attaches; else it is empty.
    pub stdin: bool,
    /// A small init of ours is process 1 and reaps orphans.
    pub init: bool,
    /// The root file system cannot be written to.
    pub read_only_root: bool,
    /// The workload stops when this one ends. At least one container of a workload is.
    pub essential: bool,
    /// Memory.
    pub memory: MemoryLimits,
    /// Processor time beside others', as a weight: 2 to 262,144, where 1,024 is one.
    pub cpu_shares: Option<u32>,
    /// The most processor time, in thousandths of a processor.
    pub cpu_millis_max: Option<u32>,
    /// The processors that it may use: `0-1,3`.
    pub cpuset: Option<String>,
    /// The most processes and threads.
    pub pids_max: Option<u32>,
    /// Block devices' weight, 10 to 1,000; refused where the kernel has none.
    pub blkio_weight: Option<u16>,
    /// The most bytes per second read from and written to the disk that the node is on.
    pub read_bytes_per_s_max: Option<u64>,
    /// The same for writing.
    pub write_bytes_per_s_max: Option<u64>,
    /// The most that it writes to its root file system, in bytes.
    pub disk_bytes_max: Option<u64>,
    /// The size of `/dev/shm`, in bytes; 64 MiB, if none is given.
    pub shm_bytes: Option<u64>,
    /// Limits of `setrlimit(2)`, clamped to what the node itself has.
    pub ulimits: Vec<Ulimit>,
    /// Kernel settings of the container's own namespaces, by name: `net.core.somaxconn`.
    pub sysctls: BTreeMap<String, String>,
    /// Devices of the host. Refused unless the node's own configuration allows it.
    pub devices: Vec<Device>,
    /// What is added to and taken from the usual capabilities.
    pub capabilities: Capabilities,
    /// Everything is allowed. Refused unless the node's own configuration allows it.
    pub privileged: bool,
    /// No program that it executes gains rights.
    pub no_new_privileges: bool,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Volumes of the workload.
    pub mounts: Vec<MountedVolume>,
    /// Memory mounted as directories.
    pub tmpfs: Vec<TmpfsMount>,
    /// What must have happened to others before it starts.
    pub depends_on: Vec<Dependency>,
    /// How it is found out whether it is well.
    pub health: Option<HealthCheck>,
    /// What happens when it ends.
    pub restart: Restart,
    /// How long what it depends on may take, in seconds; for ever, if none is given.
    pub start_timeout_s: Option<u32>,
    /// How long after its stop signal it is killed, in seconds; 10, if none is given.
    pub stop_timeout_s: Option<u32>,
    /// Instead of the image's stop signal: `SIGTERM`, `TERM`, `15`.
    pub stop_signal: Option<String>,
    /// What becomes of its output.
    pub output: OutputPolicy,
}

/// A variable of a process's environment. The value prints as `***`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// The name; not empty, without `=` and NUL.
    pub name: String,
    /// The value, without NUL.
    pub value: String,
}

impl fmt::Debug for EnvVar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.name)
    }
}

/// How much memory a container may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MemoryLimits {
    /// Beyond it the kernel kills, in bytes. Swap is off.
    pub bytes_max: Option<u64>,
    /// What it is pressed back to when the host has little, in bytes.
    pub bytes_reserved: Option<u64>,
}

/// A limit of `setrlimit(2)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// In lower case without `RLIMIT_`: `nofile`.
    pub name: String,
    /// What holds; -1 is none.
    pub soft: i64,
    /// What a process may raise it to; -1 is none.
    pub hard: i64,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its path on the host.
    pub host_path: String,
    /// Its path in the container.
    pub container_path: String,
    /// Whether it can be read.
    pub read: bool,
    /// Whether it can be written to.
    pub write: bool,
    /// Whether `mknod(2)` may make further ones.
    pub mknod: bool,
}

/// Changes to the usual capabilities; names without `CAP_`, in upper case; `ALL` for every one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// Beside the usual ones. Those by which a host is taken are refused unless the node's own configuration allows them.
    pub add: Vec<String>,
    /// Of the usual ones.
    pub drop: Vec<String>,
}

/// Which system calls a container may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Seccomp {
    /// Those of the default profile, which depends on the capabilities.
    #[default]
    Default,
    /// All. Refused unless the node's own configuration allows it.
    Unconfined,
}

/// A volume in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MountedVolume {
    /// The volume's name.
    pub volume: String,
    /// Where it is, absolute, in the container.
    pub path: String,
    /// A directory within the volume instead of all of it; without `..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// Whether it cannot be written to.
    #[serde(default)]
    pub read_only: bool,
    /// Whether what the image has at that path is copied into the volume while it is empty, as Docker does with named ones.
    #[serde(default)]
    pub copy_image_content: bool,
}

/// Memory mounted as a directory. It counts as the container's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TmpfsMount {
    /// Where, absolute, in the container.
    pub path: String,
    /// How much fits, in bytes.
    pub bytes_max: u64,
    /// Of `ro`, `noexec`, `exec`, `nosuid`, `nodev`, `mode=…`, `uid=…`, `gid=…`; `nosuid,nodev,noexec` unless said otherwise.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What must have happened to another container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The other.
    pub container: String,
    /// What of it.
    pub condition: Condition,
}

/// What a container waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Condition {
    /// It has started.
    Started,
    /// It has ended.
    Completed,
    /// It has ended with 0.
    Succeeded,
    /// It is healthy.
    Healthy,
}

/// How it is found out whether a container is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// What is tried.
    pub probe: HealthProbe,
    /// From the end of one attempt to the next, in seconds.
    pub interval_s: u32,
    /// How long an attempt may take, in seconds.
    pub timeout_s: u32,
    /// So many failures in a row make it unhealthy.
    pub retries: u32,
    /// Failures so long after its start do not count, in seconds.
    pub start_period_s: u32,
}

/// What a health check tries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HealthProbe {
    /// A command in the container that ends with 0.
    Command(Vec<String>),
    /// A connection to a port of the container.
    Tcp(u16),
    /// A request to a port of the container that is answered by 200 to 399.
    Http {
        /// The port.
        port: u16,
        /// Path and query.
        path: String,
    },
}

/// What happens when a container ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Restart {
    /// Whether it is started again.
    pub when: RestartWhen,
    /// How often at most; for ever, if none is given.
    pub retries_max: Option<u32>,
    /// Exit codes after which it is not.
    pub ignored_exit_codes: Vec<i32>,
    /// It must have run so long before, in seconds, or it is not started again until so much time has passed.
    pub attempt_period_s: u32,
}

/// Whether a container that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RestartWhen {
    /// It is not.
    #[default]
    Never,
    /// If it failed.
    OnFailure,
    /// However it ended.
    Always,
}

/// What becomes of a container's output. The node keeps the latest of it; what is overwritten before it was read is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OutputPolicy {
    /// How much the node keeps, in bytes.
    pub bytes_max: u64,
    /// Whether the node sends it on to whoever placed the workload.
    pub ship: bool,
}

impl Default for OutputPolicy {
    fn default() -> Self {
        Self { bytes_max: crate::limits::OUTPUT_BYTES_DEFAULT, ship: false }
    }
}
