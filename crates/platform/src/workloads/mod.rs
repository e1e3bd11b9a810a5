//! Workloads: what is wanted to run, where it was placed, and what came of it.
//!
//! Whoever wants something to run lowers it to a [`workload::Spec`] and calls [`Workloads::create`], or puts it into a
//! transaction of its own with [`Workloads::create_in`]. From there on reconcilers go on:
//!
//! - *place* finds a node for what has none ([`scheduler::place`]), and commits what it found only if neither node nor
//!   workload has changed meanwhile;
//! - *drive*, one for each node, makes images ready there, assigns what was placed, writes down what the node tells, and has
//!   the node forget what nobody wants to know any more;
//! - *ship*, one for each node, sends output on;
//! - *collect* removes finished workloads that were to be removed.
//!
//! Each may be killed anywhere: the next one goes on from the store, and a node tells all that it has to whoever follows it.
//! So neither a restart of the server nor one of the node starts anything anew.
//!
//! Of each workload there are up to four records: [`Workload`], which changes; [`Specification`], which does not and may be
//! large; and, as belonging to the installation, [`Queued`] while it has no node, [`Placement`] from when it has one until the
//! node has forgotten it. What is set aside of a node is told in [`Node`] and written together with the placement, so that
//! two placements that meet at one node cannot both be committed.

mod change;
mod collect;
mod create;
mod drive;
mod driver;
mod end;
mod error;
mod find;
mod names;
mod nodes;
mod place;
mod record;
mod ship;
mod takes;
mod why;

use std::sync::Arc;

use store::Store;

use crate::Platform;
use crate::ports::LogSink;
use crate::reconciler::Reconciler;

pub use create::{Created, NewWorkload};
pub use driver::{
    Assignment, Description, DriverError, Following, ImageOrder, NodeDriver, OutputOf, Printed, Printing, Report,
};
pub use end::{Removed, Stop};
pub use error::WorkloadError;
pub use find::{Filter, Listed, WorkloadWatch};
pub use record::{
    ContainerSummary, LogDestination, Node, Placement, PullPolicy, Queued, Removal, Shipped, Specification, Workload,
};
pub use takes::Takes;
pub use why::{NodeVerdict, Passed, Why};

/// The workloads of all accounts and regions, and the nodes that run them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workloads {
    platform: Platform,
    /// What goes on at this moment, for whoever asks why something is not further.
    activities: Arc<why::Activities>,
    /// Tells what nodes have taken.
    takes: tokio::sync::broadcast::Sender<workload::WorkloadId>,
}

impl Workloads {
    /// The workloads that are kept in the platform's store.
    pub fn new(platform: &Platform) -> Self {
        Self { platform: platform.clone(), activities: Arc::default(), takes: takes::teller() }
    }

    /// What goes on whatever nodes there are, to be started once.
    pub fn reconcilers(&self) -> Vec<Arc<dyn Reconciler>> {
        vec![place::reconciler(self), collect::reconciler(self)]
    }

    /// What keeps a node doing what is wanted of it, to be started once for each node. It ends nothing by itself: a node
    /// that does not answer is asked again, as long as it takes.
    pub fn drive(&self, node: workload::NodeId, driver: Arc<dyn NodeDriver>) -> Arc<dyn Reconciler> {
        drive::reconciler(self, node, driver)
    }

    /// What sends containers' output from a node to where it is to go, to be started once for each node.
    pub fn ship(
        &self,
        node: workload::NodeId,
        driver: Arc<dyn NodeDriver>,
        sink: Arc<dyn LogSink>,
    ) -> Arc<dyn Reconciler> {
        ship::reconciler(self, node, driver, sink)
    }

    fn store(&self) -> &Store {
        &self.platform.store
    }

    fn now(&self) -> base::Timestamp {
        self.platform.clock.now()
    }
}
