//! What a command asks about what runs, and what it is told.

use std::collections::BTreeMap;

use base::Timestamp;
use images::Reference;
use node::protocol::{Exec, Output, WorkloadStats};
use platform::workloads::{LogDestination, Passed};
use serde::{Deserialize, Serialize};
use workload::{NodeId, Observed, Reason, Spec, WorkloadId};

/// The longest line of a [`Say`], in bytes.
pub(crate) const SAY_BYTES_MAX: u64 = 64 * 1024;
/// The most bytes of input, as base64, that a command may have said and not heard to be taken.
pub(crate) const INPUT_BYTES_MAX: usize = 256 * 1024;

/// What a command asks about what runs. Workloads are named as a person names them: by id, the beginning of one, or name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum WorkloadRequest {
    /// Something to run. A session; answered by [`WorkloadAnswer::ImageMissing`], or by [`WorkloadAnswer::Created`] and then,
    /// if nobody attaches, [`WorkloadAnswer::Started`] or [`WorkloadAnswer::Exited`], else as [`Self::Attach`].
    Run(Box<Run>),
    /// The input and output of what runs. A session; answered by [`WorkloadAnswer::Waiting`], [`WorkloadAnswer::Started`],
    /// [`WorkloadAnswer::Output`], and in the end [`WorkloadAnswer::Exited`].
    Attach(Attach),
    /// A program beside it. A session; answered by [`WorkloadAnswer::Started`], [`WorkloadAnswer::Output`], and in the end
    /// [`WorkloadAnswer::Exited`].
    Exec {
        /// In which workload.
        workload: String,
        /// What. Its `id` is passed over: what is executed is decided by `workload`.
        exec: Box<Execute>,
    },
    /// What was printed; answered by [`WorkloadAnswer::Output`], in the end [`WorkloadAnswer::Done`]; by
    /// [`WorkloadAnswer::NotThere`] if there is no such workload.
    Output {
        /// By which workload.
        workload: String,
        /// By which container; the only one, if none is named.
        container: Option<String>,
        /// Only the last so many lines of what there is.
        tail_lines: Option<u64>,
        /// Whether what comes later is wanted, too.
        follow: bool,
    },
    /// What there is; answered by [`WorkloadAnswer::Told`] for each, then [`WorkloadAnswer::Done`].
    List {
        /// Whether what has stopped is wanted, too.
        all: bool,
    },
    /// Stop it, and wait until it has; answered by [`WorkloadAnswer::Done`].
    Stop {
        /// Which.
        workload: String,
        /// How long after the stop signal it is killed, in seconds; as its containers say, if nothing is said.
        timeout_s: Option<u32>,
    },
    /// Send a signal to its first container; answered by [`WorkloadAnswer::Done`].
    Signal {
        /// Which.
        workload: String,
        /// By its number.
        signal: i32,
    },
    /// Forget it; answered by [`WorkloadAnswer::Done`].
    Remove {
        /// Which.
        workload: String,
        /// Whether it is killed if it runs.
        force: bool,
    },
    /// What workloads use at the moment: those named, or all that run; answered by [`WorkloadAnswer::Stats`] for some at a
    /// time, then [`WorkloadAnswer::Done`].
    Stats {
        /// Which.
        workloads: Vec<String>,
    },
    /// Why it is as it is; answered by [`WorkloadAnswer::Why`].
    Why {
        /// Which.
        workload: String,
    },
    /// The nodes; answered by [`WorkloadAnswer::Node`] for each, then [`WorkloadAnswer::Done`].
    Nodes,
    /// Stop everything, and wait until it has; answered by [`WorkloadAnswer::Done`].
    StopAll,
    /// Kill everything on this machine and remove every trace of it; answered by [`WorkloadAnswer::Purged`].
    Purge,
}

/// Something to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    /// What.
    pub(crate) spec: Spec,
    /// The image of its first container, as it was asked for.
    pub(crate) image: Reference,
    /// Whether the command pulls the image.
    pub(crate) pull: Pulls,
    /// What a person calls it.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Whether it is forgotten as soon as it has stopped.
    #[serde(default)]
    pub(crate) remove: bool,
    /// Whether whoever asks stays for its output.
    #[serde(default)]
    pub(crate) attach: bool,
    /// Where the output of its first container goes, beside the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogDestination>,
}

/// Whether a command pulls the image of what it wants to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Pulls {
    /// If it is told that it is missing.
    IfMissing,
    /// It has done so.
    Done,
    /// It does not, and nobody is to.
    Never,
}

/// The input and output of what runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attach {
    /// Which workload.
    pub(crate) workload: String,
    /// From which position of the output on.
    pub(crate) from: u64,
}

/// A program to be executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Execute {
    pub(crate) container: Option<String>,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<workload::EnvVar>,
    pub(crate) working_dir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) tty: Option<[u16; 2]>,
    pub(crate) stdin: bool,
}

impl Execute {
    /// The same as a node is asked for it.
    pub(crate) fn on(self, id: WorkloadId) -> Exec {
        let Self { container, args, env, working_dir, user, tty, stdin } = self;
        Exec { id, container, args, env, working_dir, user, tty, stdin }
    }
}

/// What a command says in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Say {
    /// Input; base64 of at most [`node::protocol::DATA_BYTES_MAX`] bytes. Not before [`WorkloadAnswer::Started`].
    Data(String),
    /// There is no more input.
    End,
    /// The terminal has so many columns and rows.
    Resize([u16; 2]),
    /// Send this signal to what runs; before it has started, have it not start. Means nothing to an exec.
    Signal(i32),
}

/// What the server tells of what runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum WorkloadAnswer {
    /// The image is not ready here: pull it and ask again.
    ImageMissing,
    /// There is no such workload.
    NotThere,
    /// There is such a workload now.
    Created {
        /// Its id.
        id: WorkloadId,
    },
    /// It does not run yet.
    Waiting {
        /// Why.
        reason: Reason,
    },
    /// It runs, or has run already; input may be said.
    Started,
    /// Something was printed.
    Output(Output),
    /// So much of the input was taken, as base64, in bytes.
    Taken(u32),
    /// Its node was away, and what was said to it meanwhile may be lost: what is under way counts as taken.
    Resumed,
    /// It has ended.
    Exited(Exited),
    /// One of what there is.
    Told(Box<Told>),
    /// One of the nodes.
    Node(Box<NodeTold>),
    /// What some workloads use.
    Stats(Vec<WorkloadStats>),
    /// Why a workload is as it is.
    Why(Box<Why>),
    /// How many workloads there were.
    Purged(u64),
    /// That is all; or the id of what was meant.
    Done {
        /// What was meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<WorkloadId>,
    },
}

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exited {
    /// The exit code for a shell: the program's own; 128 and the signal's number; 125, 126 or 127 for what never ran.
    pub(crate) code: u8,
    /// What there is to tell a person beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What is known of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    /// Its id.
    pub(crate) id: WorkloadId,
    /// What a person calls it.
    pub(crate) name: Option<String>,
    /// What wanted it, if it was no person: `ecs`.
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// Its containers, in their order: image and command as they were asked for.
    pub(crate) containers: Vec<ContainerTold>,
    /// When it was asked for.
    pub(crate) created_at: Timestamp,
    /// Where it is.
    pub(crate) node: Option<NodeId>,
    /// Whether it is to be stopped.
    pub(crate) is_stopping: bool,
    /// Why it is on no node, or not begun there.
    pub(crate) waiting: Option<Reason>,
    /// What came of it.
    pub(crate) observed: Option<Observed>,
}

/// A container as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerTold {
    /// Its name.
    pub(crate) name: String,
    /// Its image.
    pub(crate) image: String,
    /// What it executes, if that is not what the image says.
    pub(crate) command: Vec<String>,
    /// Whether a terminal is its input and output.
    pub(crate) tty: bool,
}

/// What is known of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeTold {
    /// Its name.
    pub(crate) id: NodeId,
    /// How it is: `ready`, `away`, `lost`.
    pub(crate) state: String,
    /// Since when.
    pub(crate) since: Timestamp,
    /// Why it is not ready, while it is not.
    pub(crate) problem: Option<String>,
    /// How many workloads are on it.
    pub(crate) workloads: u32,
    /// What it has.
    pub(crate) has: Resources,
    /// What of it is set aside.
    pub(crate) reserved: Resources,
    /// Facts about it, and what its own configuration allows.
    pub(crate) attributes: BTreeMap<String, Option<String>>,
}

/// Something that is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resources {
    /// Processor time, in thousandths of a processor.
    pub(crate) cpu_millis: u64,
    /// Memory, in bytes.
    pub(crate) memory_bytes: u64,
    /// Disk, in bytes.
    pub(crate) disk_bytes: u64,
}

/// Why a workload is as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Why {
    /// What is known of it.
    pub(crate) workload: Told,
    /// Why, in a sentence.
    pub(crate) because: String,
    /// What goes on at this moment, if that is known.
    pub(crate) activity: Option<String>,
    /// What each node says against it, while it has none.
    pub(crate) refusals: Vec<Refusal>,
    /// What happened to it, in order.
    pub(crate) passed: Vec<Passed>,
}

/// Why a workload is not on a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// The node.
    pub(crate) node: String,
    /// Why.
    pub(crate) reason: String,
}
