//! What answering commands about workloads stands on.

use node::protocol::{Answer, Event, Input, Session, WorkloadStats};
use node::supply::BoxFuture;
use platform::workloads::LogDestination;
use workload::{Spec, WorkloadId};

use super::protocol::{NodeTold, Told, Why};

/// The server's workloads and nodes. What fails says why to a person.
pub(crate) trait Runtime: Send + Sync + 'static {
    /// Whether an image can be used without being pulled or unpacked first.
    fn has_image<'a>(&'a self, reference: &'a images::Reference) -> BoxFuture<'a, bool>;
    /// The nodes.
    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeTold>, String>>;
    /// Makes a workload.
    fn create(&self, creation: Creation) -> BoxFuture<'_, Result<WorkloadId, String>>;
    /// Every workload.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Told>, String>>;
    /// The one that a person means by an id, the beginning of one, or a name; none if there is no such one. What could mean
    /// several is an error.
    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Told>, String>>;
    /// What becomes of a workload.
    fn watch<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<Box<dyn Watching>, String>>;
    /// Has a workload stopped.
    fn stop<'a>(&'a self, id: &'a WorkloadId, timeout_s: Option<u32>) -> BoxFuture<'a, Result<(), String>>;
    /// Forgets a workload that has stopped.
    fn remove<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<(), String>>;
    /// Why a workload is as it is.
    fn why<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<Why, String>>;
    /// Sends a signal to the first container's process 1.
    fn signal<'a>(&'a self, id: &'a WorkloadId, signal: i32) -> BoxFuture<'a, Result<(), String>>;
    /// What workloads use: those named, or all that run.
    fn stats<'a>(&'a self, ids: &'a [WorkloadId]) -> BoxFuture<'a, Result<Vec<WorkloadStats>, String>>;
    /// Hears which workloads nodes take from now on.
    fn takes(&self) -> Box<dyn Takes>;
    /// Opens a session with the node that a workload is on.
    fn open<'a>(&'a self, id: &'a WorkloadId, session: Session) -> BoxFuture<'a, Result<Talking, Broken>>;
    /// Removes every trace of workloads on this machine; how many there were.
    fn purge(&self) -> BoxFuture<'_, Result<u64, String>>;
}

/// A workload that is wanted.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) spec: Spec,
    pub(crate) name: Option<String>,
    /// Whether it is forgotten soon after it has stopped.
    pub(crate) remove: bool,
    /// Whether an image that is missing is an error.
    pub(crate) never_pulls: bool,
    /// Where the output of its first container goes, beside the node.
    pub(crate) log: Option<LogDestination>,
}

/// What becomes of a workload.
pub(crate) trait Watching: Send {
    /// First what it is, then what it is after each change; nothing once it is forgotten. May be dropped and called again.
    fn next(&mut self) -> BoxFuture<'_, Option<Told>>;
}

/// Hears what nodes take. It may miss one: it only makes things earlier.
pub(crate) trait Takes: Send {
    /// Waits until a node has taken a workload. May be dropped and called again.
    fn of<'a>(&'a mut self, id: &'a WorkloadId) -> BoxFuture<'a, ()>;
}

/// An open session with a node.
pub(crate) struct Talking {
    pub(crate) hears: Box<dyn Hears>,
    pub(crate) says: Box<dyn Says>,
}

/// The node's side of a session.
pub(crate) trait Hears: Send {
    /// What happens, and at last how it ended. May be dropped and called again.
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, Broken>>;
}

/// The command's side of a session.
pub(crate) trait Says: Send + Sync {
    /// Says something; waits while the node has not taken enough of what was said before.
    fn say(&self, input: Input) -> BoxFuture<'_, Result<(), Broken>>;
}

/// What a node says in a session.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Event(Event),
    Answer(Answer),
}

/// Why there is no session, or none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The node cannot be reached: it may be starting anew.
    Away(String),
    /// The node says why.
    Refused(String),
}
