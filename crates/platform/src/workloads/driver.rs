//! What a node must be able to do. Implemented by the binary over the node's own protocol, and by tests.

use std::collections::BTreeMap;

use base::Timestamp;
use store::Scope;
use workload::{Desired, Observed, Spec, WorkloadId};

use super::PullPolicy;
use crate::BoxFuture;

/// A node, wherever its process is in its life. Every call may be repeated without harm; dropping one cancels it.
pub trait NodeDriver: Send + Sync + 'static {
    /// What the node has.
    ///
    /// # Errors
    /// [`DriverError`]
    fn describe(&self) -> BoxFuture<'_, Result<Description, DriverError>>;

    /// Makes an image ready on the node, got from wherever it is, and answers the digest of its manifest. Takes as long as
    /// it takes; `tell` hears now and then how far it is.
    ///
    /// # Errors
    /// [`DriverError`]; permanent if it cannot be had.
    fn prepare<'a>(
        &'a self,
        image: ImageOrder<'a>,
        tell: &'a (dyn Fn(String) + Send + Sync),
    ) -> BoxFuture<'a, Result<String, DriverError>>;

    /// Has the node make a workload true. It is on the node's disk when this returns.
    ///
    /// # Errors
    /// [`DriverError`]; permanent if the node will never take it.
    fn assign(&self, assignment: Assignment) -> BoxFuture<'_, Result<(), DriverError>>;

    /// Has the node forget a workload that has stopped, or that it does not know.
    ///
    /// # Errors
    /// [`DriverError`]
    fn retire<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<(), DriverError>>;

    /// Begins to hear of the node's workloads: of each that it has, then that this was all, then of each change.
    ///
    /// # Errors
    /// [`DriverError`]
    fn follow(&self) -> BoxFuture<'_, Result<Box<dyn Following>, DriverError>>;

    /// A container's output.
    ///
    /// # Errors
    /// [`DriverError`]; permanent if there is none.
    fn output<'a>(&'a self, wanted: OutputOf<'a>) -> BoxFuture<'a, Result<Box<dyn Printing>, DriverError>>;
}

/// Which output.
#[derive(Debug, Clone, Copy)]
pub struct OutputOf<'a> {
    /// The workload.
    pub id: &'a WorkloadId,
    /// The container.
    pub container: &'a str,
    /// From where on: what [`Printed::next`] said; 0 is the beginning.
    pub position: u64,
    /// Whether what comes later is wanted, too, until the container has ended for good.
    pub follow: bool,
}

/// A container's output, as it comes.
pub trait Printing: Send {
    /// The next of it; nothing if there is no more. May be dropped and called again.
    ///
    /// # Errors
    /// [`DriverError`]; nothing comes after one.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Printed>, DriverError>>;
}

/// Something that a container printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// Where: 1 for output, 2 for errors.
    pub stream: u8,
    /// What: lines, of which the last may go on in the next of the stream.
    pub data: Vec<u8>,
    /// When.
    pub at: Timestamp,
    /// The position after it.
    pub next: u64,
    /// How many bytes before it are not there any more.
    pub lost_bytes: u64,
}

/// What a node tells.
pub trait Following: Send {
    /// The next of it.
    ///
    /// # Errors
    /// [`DriverError`] when nothing more will come: the link is broken.
    fn next(&mut self) -> BoxFuture<'_, Result<Report, DriverError>>;
}

/// Something that a node tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Report {
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
}

/// What a node is and has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Description {
    /// Processor time that workloads may use, in thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory that workloads may use, in bytes.
    pub memory_bytes: u64,
    /// Disk that workloads may use, in bytes.
    pub disk_bytes: u64,
    /// Facts about it, and what its own configuration allows.
    pub attributes: BTreeMap<String, Option<String>>,
    /// When its machine was started, as its kernel names it: another one means that nothing runs any more.
    pub boot_id: String,
}

/// An image that a workload needs.
#[derive(Debug, Clone, Copy)]
pub struct ImageOrder<'a> {
    /// Whose workload it is.
    pub scope: &'a Scope,
    /// The image, as a registry names it.
    pub image: &'a str,
    /// Whether it is asked for although it is there.
    pub pull: PullPolicy,
}

/// A workload that a node is to make true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its name.
    pub id: WorkloadId,
    /// Rises with each change of what is desired.
    pub generation: u64,
    /// What it is.
    pub spec: Spec,
    /// What is to become of it.
    pub desired: Desired,
    /// The digests of its images' manifests, by container.
    pub images: BTreeMap<String, String>,
}

/// Why a node did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DriverError {
    /// It may later: it does not answer, is busy, or a registry is.
    #[error("{0}")]
    Unavailable(String),
    /// It will not, however often it is asked.
    #[error("{0}")]
    Refused(String),
}
