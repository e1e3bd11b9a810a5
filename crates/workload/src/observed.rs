//! What came of a workload, as its node saw it.

use std::net::Ipv4Addr;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Phase, PortProtocol};

/// What came of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// Rises with each change that the node reports; an older report never replaces a newer one.
    pub sequence: u64,
    /// How far it is.
    pub phase: Phase,
    /// Why it is not further, or why it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Its containers, in the specification's order.
    pub containers: Vec<ContainerObserved>,
    /// Its address, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
    /// The host's ports that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortBinding>,
    /// What the node did for it, in order; the last may still go on. The latest
    /// [`STEPS_MAX`](crate::Observed::STEPS_MAX).
    pub steps: Vec<Step>,
    /// When its first container started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When everything of it had ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
}

impl Observed {
    /// The most steps that are told of.
    pub const STEPS_MAX: usize = 64;
}

/// What came of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerObserved {
    /// Its name.
    pub name: String,
    /// The digest of the image's manifest, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<String>,
    /// How it is.
    pub state: ContainerState,
    /// Whether it is well.
    pub health: Health,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended the last time, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<ExitStatus>,
    /// How many bytes of its output were overwritten before they were sent on.
    #[serde(default)]
    pub output_bytes_lost: u64,
}

/// How a container is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ContainerState {
    /// It has not started.
    Waiting {
        /// What for.
        reason: Reason,
    },
    /// It runs.
    Running {
        /// Since when.
        since: Timestamp,
        /// Its process on the node.
        pid: u32,
    },
    /// It is frozen.
    Paused {
        /// When it started.
        since: Timestamp,
    },
    /// It has ended, and is not started again.
    Exited(ExitStatus),
}

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitStatus {
    /// Its exit code; 128 and the signal's number for one that a signal ended; none for one that never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of it because memory was short.
    #[serde(default)]
    pub out_of_memory: bool,
    /// Why, where it is more than the exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it started, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub at: Timestamp,
}

/// Whether a container is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Health {
    /// Nobody asks, or no answer has come yet.
    #[default]
    Unknown,
    /// It is.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// A port of the host that leads to a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortBinding {
    /// The port in the workload.
    pub container_port: u16,
    /// The port of the host.
    pub host_port: u16,
    /// The address of the host.
    pub host_address: Ipv4Addr,
    /// What is carried.
    pub protocol: PortProtocol,
}

/// Something that the node did for a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What.
    pub name: StepName,
    /// For which container; for the workload, if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// When it began.
    pub began_at: Timestamp,
    /// How long it took, in microseconds; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
    /// What came of it.
    pub outcome: StepOutcome,
}

/// What a node does for a workload, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepName {
    /// Images are made ready.
    Pull,
    /// It is given a network.
    Network,
    /// Volumes are made.
    Volumes,
    /// Limits and the sandbox are made.
    Sandbox,
    /// A container is made.
    Create,
    /// A container is started.
    Start,
    /// A container is found well for the first time.
    Probe,
    /// A container is stopped.
    Stop,
    /// What it left is removed.
    CleanUp,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepOutcome {
    /// It goes on.
    Running,
    /// It is done.
    Done,
    /// It failed.
    Failed(Reason),
    /// It was undone, because a later one failed.
    Undone,
}

/// Why something is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// For programs.
    pub code: ReasonCode,
    /// For a person; at most [`Reason::MESSAGE_BYTES_MAX`] bytes.
    pub message: String,
}

impl Reason {
    /// The longest message, in bytes; ECS's longest container reason is 255 characters, and it cuts there by itself.
    pub const MESSAGE_BYTES_MAX: usize = 1024;

    /// A reason, its message made to fit.
    pub fn new(code: ReasonCode, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        message.truncate(message.floor_char_boundary(Self::MESSAGE_BYTES_MAX));
        Self { code, message }
    }
}

impl ReasonCode {
    /// Whether something ended because what it stood on did, and not by itself or by anybody's wish: how it would have ended
    /// nobody knows.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::SandboxLost | Self::HostLost | Self::Fenced)
    }
}

/// Why something is as it is, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReasonCode {
    /// No node has room.
    NoRoom,
    /// It waits for its turn, or for another container.
    Waiting,
    /// The image cannot be had.
    CannotPull,
    /// What it asks for is not allowed on this node, or not possible here.
    Refused,
    /// The network could not be made.
    Network,
    /// A volume could not be made.
    Volume,
    /// A container could not be made.
    CannotCreate,
    /// A container's program could not be executed.
    CannotStart,
    /// A container that had to did not become what another waits for, in time.
    DependencyFailed,
    /// A container that is essential ended.
    EssentialExited,
    /// A container was killed because memory was short.
    OutOfMemory,
    /// A container is unhealthy.
    Unhealthy,
    /// Somebody asked for it.
    Asked,
    /// The sandbox's own process ended, and everything with it.
    SandboxLost,
    /// The machine was started anew, or its node lost.
    HostLost,
    /// The node had no lease any more, and stopped what it ran.
    Fenced,
    /// Something is wrong with the node.
    Internal,
    /// What a newer node says and this program does not know.
    #[serde(other)]
    Unknown,
}
