//! What node and shim say to each other: the one versioned pair of enums. A frame is its length (4 bytes, big endian) and JSON;
//! descriptors travel with the frame's first byte. A node of a later version drives shims of earlier ones: a member or variant is
//! only ever added, and [`VERSION`] is raised when it is.

use serde::{Deserialize, Serialize};

use crate::plan::{ContainerPlan, LateParts, ProcessPlan, SandboxPlan, TerminalSize};

/// The form of the messages that this program speaks.
pub const VERSION: u32 = 2;
/// The longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024;
/// The most descriptors of a frame; the kernel's limit is 253.
pub const DESCRIPTORS_MAX: usize = 200;

/// What goes to a shim. Each is answered by one [`FromShim::Answer`] of its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToShim {
    /// A number that no unanswered request has.
    pub id: u64,
    /// What is asked for.
    pub request: Request,
}

/// What a shim can be asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Request {
    /// Who it is. Answered by [`Answer::Shim`].
    Hello {
        /// The node's version of this protocol.
        version: u32,
    },
    /// Make the sandbox: the namespaces that containers share, held by a process of the shim's. Descriptors: the network
    /// namespace, if it is given. Answered by [`Answer::Sandbox`].
    Sandbox(SandboxPlan),
    /// Make a container, all but what it executes. Descriptors: its root, then those of its mounts. Answered by
    /// [`Answer::Created`] once everything that can fail for it has been done. Asked for again by the same plan, before it is started,
    /// it is answered as before, and what comes along is let go of.
    Create(Box<ContainerPlan>),
    /// Execute a container's program. Descriptors: those of the late mounts. Answered by [`Answer::Done`] once the program
    /// has replaced ours (its `execve` succeeded). Asked for again by the same words it is answered as before, and nothing happens
    /// twice.
    Start {
        /// Which.
        container: String,
        /// What.
        process: ProcessPlan,
        /// What it receives beside.
        late: Option<LateParts>,
    },
    /// Execute a further program in a container that runs. Descriptors: its input, output and errors, unless it has a
    /// terminal. Answered by [`Answer::Executing`].
    Exec {
        /// Which container.
        container: String,
        /// What.
        process: ProcessPlan,
        /// A terminal of this size: the answer brings its other side as a descriptor.
        tty: Option<TerminalSize>,
    },
    /// Send a signal to a container's process 1 or an exec's process.
    Signal {
        /// Which.
        to: Target,
        /// By its number.
        signal: i32,
    },
    /// Kill everything in a container.
    Kill {
        /// Which.
        container: String,
    },
    /// Change the size of a container's terminal.
    Resize {
        /// Which.
        container: String,
        /// How large.
        size: TerminalSize,
    },
    /// Hand out a container's input: the answer brings a descriptor to write to, which is the terminal if it has one.
    Input {
        /// Which.
        container: String,
    },
    /// Close a container's input: it reads its end once nobody else has a descriptor of it.
    CloseInput {
        /// Which.
        container: String,
    },
    /// Forget a container that has ended or was never started, so that its name can be used again.
    Remove {
        /// Which.
        container: String,
    },
    /// Tell everything there is to tell. Answered by [`Answer::State`].
    State,
    /// Kill everything, at this time of `CLOCK_BOOTTIME`, in nanoseconds, unless another such message comes before; none
    /// takes the threat away.
    Fence {
        /// When.
        at_ns: Option<u64>,
    },
    /// Tell once, by [`FromShim::Output`], that there is more of a container's output than this, which may be at once.
    Watch {
        /// Whose.
        container: String,
        /// A position in it ([`crate::output`]).
        after: u64,
    },
    /// Hand out the sandbox's network namespace as a descriptor.
    NetworkNamespace,
    /// Keep these descriptors for a node that comes after this one. They replace those kept before.
    Keep,
    /// Hand out what was kept.
    Kept,
    /// Kill everything, answer, end.
    Destroy,
}

/// A process of a shim's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A container's process 1.
    Container(String),
    /// The process of an exec.
    Exec(u64),
}

/// What comes from a shim.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FromShim {
    /// To a request.
    Answer {
        /// Its number.
        id: u64,
        /// What came of it.
        answer: Result<Answer, ShimFailure>,
    },
    /// A container or an exec has ended.
    Exited {
        /// Which.
        what: Target,
        /// How.
        exit: Exit,
    },
    /// There is more of a container's output than a [`Request::Watch`] named. Sent once for it.
    Output {
        /// Whose.
        container: String,
    },
    /// The sandbox's own process has ended, and everything with it. The shim ends.
    SandboxEnded,
}

/// To a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Answer {
    /// To [`Request::Hello`]. Its descriptor is a pidfd of the shim.
    Shim {
        /// Its version of this protocol.
        version: u32,
        /// Its process.
        pid: u32,
    },
    /// To [`Request::Sandbox`].
    Sandbox {
        /// The process that holds it.
        pid: u32,
    },
    /// To [`Request::Create`].
    Created {
        /// Its process 1, as the host numbers it.
        pid: u32,
    },
    /// To [`Request::Exec`].
    Executing {
        /// By which it is named from here on.
        exec: u64,
        /// Its process, as the host numbers it.
        pid: u32,
    },
    /// To [`Request::State`].
    State(ShimState),
    /// To what has nothing to tell.
    Done,
}

/// Everything that a shim knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShimState {
    /// The process that holds the sandbox, if it has been made.
    pub sandbox: Option<u32>,
    /// Its containers.
    pub containers: Vec<ContainerInfo>,
    /// Whether its fence's time has come: everything was killed because nobody renewed it.
    #[serde(default)]
    pub fenced: bool,
}

/// What a shim knows of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerInfo {
    /// Its name.
    pub name: String,
    /// How far it has got. A shim of an earlier version does not say.
    #[serde(default)]
    pub phase: ContainerPhase,
    /// Its process 1, as the host numbers it, while it has one.
    pub pid: Option<u32>,
    /// When its program was executed, in nanoseconds since 1970.
    pub started_ns: Option<u64>,
    /// How it ended.
    pub exit: Option<Exit>,
}

/// How far a container has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ContainerPhase {
    /// It is being made: [`Request::Create`] has not been answered.
    Making,
    /// It waits for what it executes.
    Created,
    /// It is about to execute its program: [`Request::Start`] has not been answered.
    Starting,
    /// Its program was executed.
    Running,
    /// It has ended, whether or not it ran.
    Ended,
    /// Another version's shim says something else, or nothing.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, or 128 and the signal's number.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the kernel killed a process of the container because memory was short.
    pub out_of_memory: bool,
    /// When, in nanoseconds since 1970.
    pub at_ns: u64,
}

/// Why a shim did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ShimFailure {
    /// What it means for whoever asked.
    pub kind: ShimFailureKind,
    /// What happened, for a person.
    pub message: String,
}

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShimFailureKind {
    /// The plan cannot be made here, and never will be.
    Refused,
    /// There is no such container or exec, or it is not in the state for it.
    NotThere,
    /// The program is not there, or what it is executed by, or the directory that it is to start in; a shell says 127.
    ProgramNotFound,
    /// The program cannot be executed; a shell says 126.
    ProgramNotExecutable,
    /// The user or group is not in the container's files.
    NoSuchUser,
    /// The machine would not.
    Failed,
    /// What a newer shim says and this program does not know.
    #[serde(other)]
    Unknown,
}
