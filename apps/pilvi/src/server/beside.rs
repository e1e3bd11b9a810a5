//! What goes on beside requests: loops that converge, nodes and what runs on them, commands.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use node::client::Node;
use platform::{Gateway, Reconcilers};
use store::Scope;
use tokio::task::JoinHandle;

use super::ground::Ground;
use crate::control_socket::workloads;
use crate::data_dir::DataDir;
use crate::door::Door;
use crate::fleet::{self, Fleet};
use crate::local_registry::{EcrImages, OwnNames};
use crate::node_gate::{self, NodeGate};
use crate::runtimes::Runtimes;
use crate::services::Background;
use crate::settings::Settings;
use crate::stop::Stop;
use crate::supply::{self, Materials};

/// What goes on beside requests.
pub(super) struct Beside {
    pub(super) reconcilers: Reconcilers,
    /// Where machines join, if they may. It is not served yet.
    pub(super) gate: Option<NodeGate>,
    /// Ends when all commands have been answered.
    pub(super) commands: JoinHandle<()>,
}

/// What it is made of.
pub(super) struct Parts<'a> {
    pub(super) settings: &'a Settings,
    pub(super) dir: &'a DataDir,
    pub(super) ground: &'a Ground,
    pub(super) background: Background,
    /// Where the server listens.
    pub(super) local: SocketAddr,
    /// The node's socket, where there is a node.
    pub(super) node: Option<PathBuf>,
    pub(super) door: &'a Door<Gateway>,
    pub(super) stop: &'a Stop,
}

impl Beside {
    /// Starts it.
    ///
    /// # Errors
    /// When the nodes' port cannot be had, or something not be read.
    pub(super) async fn start(parts: Parts<'_>) -> Result<Self> {
        let Parts { settings, dir, ground, background, local, node, door, stop } = parts;
        let (store, blobs) = (ground.platform.store.clone(), ground.blobs.clone());
        let (functions, code, rng) = (background.functions(), blobs.clone(), ground.platform.rng.clone());
        let behind = node_gate::Foundation { store: store.clone(), blobs: blobs.clone(), door: Arc::new(door.clone()) };
        let gate = NodeGate::open(settings, dir, behind).await?;
        let node = node.map(Node::at);
        let runtimes = Runtimes::new(store.clone(), blobs.clone(), ground.platform.clock.clone());
        let own = Arc::new(own_names(settings, local, background.ecr(), &runtimes));
        let materials = Materials { store: store.clone(), blobs, own: own.clone(), node: node.clone() };
        let images = supply::build(materials, settings, dir)?;
        let (workloads, logs, metrics) = (background.workloads(), background.log_sink(), background.metric_sink());
        let reconcilers = background.start(node.clone().map(|node| supply::preparer(node, stop.clone())));
        let fleet = Fleet::new(fleet::Parts {
            workloads: workloads.clone(),
            store,
            supply: images.clone(),
            registry: own,
            logs,
            metrics,
            reconcilers: reconcilers.clone(),
            stop: stop.clone(),
        });
        fleet.muster().await.context("nodes cannot be read")?;
        functions.open(fleet.clone(), code, rng);
        if let Some(node) = node {
            fleet.join(&fleet::local(), node).await.context("the node cannot be written down")?;
        }
        if let Some(gate) = &gate {
            tokio::spawn(fleet.clone().take_in(gate.gate().clone(), stop.clone()));
        }
        let scope = Scope::new(settings.account, settings.region.clone());
        let runtime = workloads::Fleet { workloads, scope, nodes: Arc::new(fleet) };
        let nodes = gate.as_ref().map(NodeGate::commands).unwrap_or_default();
        let supply = supply::start(images, Arc::new(runtime), nodes, runtimes, dir, stop.clone())?;
        reconcilers.start(supply.reconciler);
        Ok(Self { reconcilers, gate, commands: supply.commands })
    }
}

/// By which names this server's registry is known.
fn own_names(settings: &Settings, local: SocketAddr, ecr: &ecr::Ecr, runtimes: &Runtimes) -> OwnNames {
    OwnNames {
        listener: local,
        public: settings.public_url.as_ref().map(|url| url.authority().to_owned()),
        account: settings.account,
        region: settings.region.clone(),
        images: Arc::new(EcrImages(ecr.clone())),
        runtimes: Arc::new(runtimes.clone()),
    }
}
