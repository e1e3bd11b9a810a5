//! The nodes of this server, and what runs on them: where what is wanted ([`Workloads`]) meets who makes it true ([`Node`]).
//!
//! For each node that joins three things go on: it is driven ([`driver`]), the output of what it runs is sent to log streams,
//! and what that uses becomes metrics ([`stats`]).

mod driver;
pub(crate) mod environments;
mod images;
mod joined;
mod stats;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::images::Reference;
use node::client::Node;
use node::supply::{BoxFuture, LocalRegistry, Supply};
use platform::Reconcilers;
use platform::ports::{LogSink, MetricSink};
use platform::workloads::{WorkloadError, Workloads};
use store::Store;
use workload::NodeId;

use crate::control_socket::workloads::Nodes;
use crate::stop::Stop;
use driver::Driver;
use images::Images;

/// What the node is called that `pilvi up` starts, unless its own configuration says otherwise.
const LOCAL: &str = "local";

/// The nodes of this server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fleet(Arc<Inner>);

struct Inner {
    workloads: Workloads,
    images: Arc<Images>,
    logs: Arc<dyn LogSink>,
    metrics: Arc<dyn MetricSink>,
    reconcilers: Reconcilers,
    stop: Stop,
    nodes: Mutex<BTreeMap<NodeId, Arc<Driver>>>,
}

/// What a fleet is made of.
pub(crate) struct Parts {
    pub(crate) workloads: Workloads,
    pub(crate) store: Store,
    pub(crate) supply: Supply,
    pub(crate) registry: Arc<dyn LocalRegistry>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) metrics: Arc<dyn MetricSink>,
    pub(crate) reconcilers: Reconcilers,
    pub(crate) stop: Stop,
}

impl Fleet {
    /// A fleet without nodes. What goes on whatever nodes there are is started.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { workloads, store, supply, registry, logs, metrics, reconcilers, stop } = parts;
        workloads.reconcilers().into_iter().for_each(|one| reconcilers.start(one));
        let images = Arc::new(Images::new(store, supply, registry));
        let nodes = Mutex::default();
        Self(Arc::new(Inner { workloads, images, logs, metrics, reconcilers, stop, nodes }))
    }

    /// Whether there is no node, nor was one since the server was started.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// Notes that no node is known to be there, whatever was known when the last server ended: it may never come back, and
    /// nothing is to be placed on it until it has.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn muster(&self) -> Result<(), WorkloadError> {
        for node in self.0.workloads.nodes().await? {
            if let Ok(id) = node.name().parse() {
                self.0.workloads.away(&id, "it has not answered since the server was started").await?;
            }
        }
        Ok(())
    }

    /// A node is there, or will come: it is driven from now on, wherever it is in its life.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn join(&self, id: &NodeId, node: Node) -> Result<(), WorkloadError> {
        let inner = &self.0;
        inner.workloads.expect_node(id).await?;
        let driver = match inner.lock().entry(id.clone()) {
            // What drives it goes on.
            Entry::Occupied(known) => {
                known.get().set_node(Some(node));
                return Ok(());
            }
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(Driver::new(node, Arc::clone(&inner.images))))),
        };
        inner.reconcilers.start(inner.workloads.drive(id.clone(), driver.clone()));
        inner.reconcilers.start(inner.workloads.ship(id.clone(), driver.clone(), Arc::clone(&inner.logs)));
        let stats = stats::Stats::new(inner.workloads.clone(), id.clone(), driver, Arc::clone(&inner.metrics));
        tokio::spawn(stats.go_on(inner.stop.clone()));
        Ok(())
    }
}

impl Nodes for Fleet {
    fn node(&self, id: &NodeId) -> Option<Node> {
        self.0.lock().get(id)?.node()
    }

    fn own(&self) -> Option<Node> {
        self.node(&local())
    }

    fn has_image<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let images = &self.0.images;
            let Ok(Some(here)) = images.find(reference).await else { return false };
            let Some(own) = self.0.lock().get(&local()).map(Arc::clone) else {
                // Nodes elsewhere get it from here.
                return true;
            };
            own.is_ready(&here) || images.is_unpacked(&here).await
        })
    }
}

/// The name of the node that `pilvi up` starts.
pub(crate) fn local() -> NodeId {
    LOCAL.parse().expect("five letters are a name")
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Arc<Driver>>> {
        // Whole values go in and out.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
