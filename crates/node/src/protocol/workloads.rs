//! What is said about workloads.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use images::Digest;
use serde::{Deserialize, Serialize};
use workload::{Desired, Observed, Spec, WorkloadId};

/// A workload that a node is to make true. Said again with a higher generation, it replaces what was said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// Its name.
    pub id: WorkloadId,
    /// Rises with each change of what is desired.
    pub generation: u64,
    /// What it is. It never changes.
    pub spec: Spec,
    /// What is to become of it.
    pub desired: Desired,
    /// The images of its containers, by container: manifests of images that the node has been told to prepare.
    pub images: BTreeMap<String, Digest>,
}

/// A call that goes on for as long as whoever asks wants it to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Session {
    /// Tell of every workload, then [`Event::Told`], then of each change.
    Follow,
    /// Run a workload for as long as the session is open, and tell of each change. Nothing of it is written down; when the session
    /// ends, however it does, it is killed and every trace of it is removed, its output too. [`Input::End`] has it stop by its
    /// containers' signals, within their timeouts.
    Run(Box<Assignment>),
    /// The same, but nothing is executed before [`Input::Release`]: everything that can be made is made meanwhile.
    Hold(Box<Assignment>),
    /// The way to what is served near a workload in the server's own terms, over a session: for nodes to which there is only one
    /// connection. Bytes come as [`Event::Output`] and go as [`Input::Data`]; ends with [`super::Answer::ChannelEnded`].
    Channel {
        /// Which workload.
        id: WorkloadId,
    },
    /// Execute a program in a container; ends with [`super::Answer::Exited`].
    Exec(Exec),
    /// A container's input and, from `from` on, its output.
    Attach(OutputOf),
    /// A container's output; ends with [`super::Answer::OutputEnded`].
    Output(OutputOf),
}

/// A program that is to be executed in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// The workload.
    pub id: WorkloadId,
    /// The container; the only one, if none is named.
    #[serde(default)]
    pub container: Option<String>,
    /// The program and its arguments.
    pub args: Vec<String>,
    /// Beside the container's own environment.
    #[serde(default)]
    pub env: Vec<workload::EnvVar>,
    /// Instead of the container's own.
    #[serde(default)]
    pub working_dir: Option<String>,
    /// Instead of the container's own.
    #[serde(default)]
    pub user: Option<String>,
    /// A terminal is its input and output, of so many columns and rows.
    #[serde(default)]
    pub tty: Option<[u16; 2]>,
    /// Whether its input comes from whoever asks; else it is empty.
    #[serde(default)]
    pub stdin: bool,
}

/// Which part of a container's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputOf {
    /// The workload.
    pub id: WorkloadId,
    /// The container; the only one, if none is named.
    #[serde(default)]
    pub container: Option<String>,
    /// From where on: what [`Output::next`] said; 0 is the beginning. What is not there any more is passed over and told.
    #[serde(default)]
    pub from: u64,
    /// Only the last so many lines of what there is.
    #[serde(default)]
    pub tail_lines: Option<u64>,
    /// Whether what comes later is wanted, too, until the container has ended for good.
    #[serde(default)]
    pub follow: bool,
}

/// What happens in a [`Session`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Event {
    /// What came of a workload.
    Observed {
        /// Which.
        id: WorkloadId,
        /// The generation that the node works on.
        generation: u64,
        /// What.
        observed: Box<Observed>,
    },
    /// Every workload that the node has was told of.
    Told,
    /// The program runs.
    Started,
    /// Something was printed.
    Output(Output),
    /// Input that counts for so much was taken: as much more may be sent.
    Taken(u32),
}

/// Something that a container or an exec printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Where: 1 for output, 2 for errors; everything of a terminal is 1.
    pub stream: u8,
    /// What, base64; at most [`DATA_BYTES_MAX`] bytes.
    pub data: String,
    /// When the first byte of it was read, in milliseconds since 1970.
    pub at_ms: u64,
    /// The position after it.
    pub next: u64,
    /// Whether it ends in the middle of a line.
    #[serde(default)]
    pub partial: bool,
    /// How many bytes before it are not there any more.
    #[serde(default)]
    pub lost_bytes: u64,
}

/// What goes to the node in a [`Session`] that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Input {
    /// For the program; base64, at most [`DATA_BYTES_MAX`] bytes.
    Data(String),
    /// There is no more.
    End,
    /// The terminal has so many columns and rows now.
    Resize([u16; 2]),
    /// Output that counts for so much was taken: as much more may be sent.
    Taken(u32),
    /// In [`Session::Hold`], once: what is to be executed, as the specification that the workload has from here on. It differs from
    /// the one that it was made by in nothing that has been made ([`Spec::check_release`]).
    Release(Box<Spec>),
}

/// The most bytes of one piece of input or output.
pub const DATA_BYTES_MAX: usize = 32 * 1024;
/// How much of a session may be under way in one direction and not yet taken. A piece counts for the characters of its base64
/// and [`PIECE_COST`].
pub const WINDOW_BYTES: u32 = 256 * 1024;
/// What each piece counts for beside its bytes, so that there are never many small ones.
pub const PIECE_COST: u32 = 128;

/// What a piece counts for in its session's window.
pub(crate) fn cost(base64: &str) -> u32 {
    u32::try_from(base64.len()).unwrap_or(u32::MAX).saturating_add(PIECE_COST)
}

impl Output {
    /// What was printed; none if it is no base64, which no node says.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        BASE64.decode(&self.data).ok()
    }
}

impl Input {
    /// Bytes for the program, at most [`DATA_BYTES_MAX`].
    pub fn data(bytes: &[u8]) -> Self {
        Self::Data(BASE64.encode(bytes))
    }
}

/// What a node is and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// Processor time that workloads may use, in thousandths of a processor.
    pub cpu_millis: u32,
    /// Memory that workloads may use, in bytes.
    pub memory_bytes: u64,
    /// Disk that workloads may use, in bytes.
    pub disk_bytes: u64,
    /// Facts about it: `pilvi.os`, `pilvi.architecture`, `pilvi.cgroup`, and what its own configuration allows.
    pub attributes: BTreeMap<String, Option<String>>,
    /// When its machine was started, as the kernel names it: another one means that nothing runs any more.
    pub boot_id: String,
    /// What it cannot do on its machine and why, a sentence each.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What it has changed on its machine beside what is its own, a sentence each.
    #[serde(default)]
    pub changed: Vec<String>,
}

/// What a container uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStats {
    /// Processor time, in microseconds.
    pub cpu_us: u64,
    /// Memory in use without what can be dropped, in bytes.
    pub memory_bytes: u64,
    /// The most that it may have, in bytes; 0 is no limit.
    pub memory_bytes_max: u64,
    /// The most memory that has been in use at one time, with what could be dropped, in bytes; 0 if the node does not know.
    #[serde(default)]
    pub memory_peak_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
    /// Received by the workload, in bytes.
    pub received_bytes: u64,
    /// Sent by the workload, in bytes.
    pub sent_bytes: u64,
    /// Read from disks, in bytes.
    pub read_bytes: u64,
    /// Written to disks, in bytes.
    pub written_bytes: u64,
}

/// What the containers of a workload use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadStats {
    /// The workload.
    pub id: WorkloadId,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// By container.
    pub containers: BTreeMap<String, ContainerStats>,
}
