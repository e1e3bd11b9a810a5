//! The server: builds everything that answers, serves until told to stop, then drains.
//!
//! This file is the seam between the process (`role`) and what it serves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, Principal, SystemClock, SystemRng};
use blobs::Blobs;
use ecr::content::Content;
use node::client::Node;
use platform::denials::Denials;
use platform::identity::{FixedKey, Keys};
use platform::{Keyring, Platform};
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use segments::Segments;
use store::{Scope, Store, StoreOptions};
use tokio::net::TcpListener;
use tracing::{info, warn};
use wire::serve::{Outcome, ServeLimits, Server};
use wire::sigv4::SecretAccessKey;

use crate::config::{CloudWatchLogs, ConfiguredPrincipal, Limits, PublicUrl, reachable_locally};
use crate::control_socket::workloads;
use crate::data_dir::{DataDir, make_private_dir};
use crate::door::{self, Door, DoorSocket};
use crate::fleet::{self, Fleet};
use crate::local_registry::{EcrImages, OwnNames};
use crate::log_metrics::LogMetrics;
use crate::node_gate::{self, NodeGate};
use crate::own_routes::OwnRoutes;
use crate::records::{self, ServerRecord};
use crate::request_metrics::{DenialMetrics, RequestMetrics};
use crate::root_key::RootKey;
use crate::sealing_key;
use crate::services::{self, Built, Foundation};
use crate::settings::{Settings, Tls};
use crate::stop::{self, Stop};
use crate::supply::{self, Materials};
use crate::tls::ServerTls;

/// How long requests under way may take once the server was told to stop. The supervisor allows a little more.
const DRAIN: Duration = Duration::from_secs(4);

/// How often the last uses of access keys are written down.
const FLUSH_PERIOD: Duration = Duration::from_secs(60);

/// What the process hands to the server.
pub(crate) struct Assignment {
    /// What was configured.
    pub(crate) settings: Settings,
    /// The data directory, which the process owns and has locked.
    pub(crate) dir: DataDir,
    /// The listening socket, which the supervisor holds open too.
    pub(crate) listener: TcpListener,
    /// The node's socket, where there is a node.
    pub(crate) node: Option<PathBuf>,
    /// When to stop.
    pub(crate) stop: Stop,
}

/// Serves until told to stop. `ready` is called once, when requests are answered.
///
/// # Errors
/// When the server cannot be built.
pub(crate) async fn run(assignment: Assignment, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let Assignment { settings, dir, listener, node, stop } = assignment;
    let local = listener.local_addr()?;
    let clock = Arc::new(SystemClock);
    // The sealing key first: it is what tells a directory that has lost its keys from a new one.
    let sealing_key = sealing_key::load_or_make(&dir, &SystemRng)?;
    let store = Store::open(&dir.state(), StoreOptions::default()).context("cannot open the state")?;
    let root_key = RootKey::load_or_make(&dir, settings.account, &SystemRng)?;
    let tls = ServerTls::prepare(&settings, &dir, clock.now())?.map(Arc::new);
    let platform = Platform {
        store: store.clone(),
        clock: clock.clone(),
        rng: Arc::new(SystemRng),
        keyring: Arc::new(Keyring::new(&sealing_key, Arc::new(SystemRng))),
        keys: Arc::new(Keys::new(fixed_keys(&settings, &root_key))),
    };
    make_private_dir(&dir.audit())?;
    let denials = Arc::new(Denials::in_folder(&dir.audit()).context("denials cannot be written down")?);
    make_private_dir(&dir.logs())?;
    let segments = Segments::open(&dir.logs(), log_files(&settings.cloudwatch_logs)).context("cannot open the logs")?;
    let blobs = Blobs::open_root(&dir.blobs()).context("cannot open the blobs")?;
    let content = Content::open(blobs.clone(), &dir.uploads()).context("cannot open the uploads")?;
    let Built { gateway, registry: images, background } = services::build(Foundation {
        platform: platform.clone(),
        segments: segments.clone(),
        content,
        denials: denials.clone(),
        is_secure: tls.is_some(),
        public_address: settings.public_url.as_ref().map(public_address),
    });
    let mut registry = Registry::default();
    let metrics = RequestMetrics::register(&mut registry);
    registry.register_collector(Box::new(DenialMetrics(denials)));
    registry.register_collector(Box::new(LogMetrics(segments.clone())));
    let node = node.map(Node::at);
    let door = Door::new(stop.clone());
    let behind = node_gate::Foundation { store: store.clone(), blobs: blobs.clone(), door: Arc::new(door.clone()) };
    let gate = NodeGate::open(&settings, &dir, behind).await?;
    let own_names = Arc::new(own_names(&settings, local, background.ecr()));
    let materials = Materials { store: store.clone(), blobs, own: own_names.clone(), node: node.clone() };
    let images_supply = supply::build(materials, &settings, &dir)?;
    let (workloads, logs, sink) = (background.workloads(), background.log_sink(), background.metric_sink());
    let reconcilers = background.start(node.clone().map(|node| supply::preparer(node, stop.clone())));
    let fleet = Fleet::new(fleet::Parts {
        workloads: workloads.clone(),
        store: store.clone(),
        supply: images_supply.clone(),
        registry: own_names,
        logs,
        metrics: sink,
        reconcilers: reconcilers.clone(),
        stop: stop.clone(),
    });
    fleet.muster().await.context("nodes cannot be read")?;
    if let Some(node) = node {
        fleet.join(&fleet::local(), node).await.context("the node cannot be written down")?;
    }
    if let Some(gate) = &gate {
        tokio::spawn(fleet.clone().take_in(gate.gate().clone(), stop.clone()));
    }
    let runtime = workloads::Fleet {
        workloads,
        scope: Scope::new(settings.account, settings.region.clone()),
        nodes: Arc::new(fleet),
    };
    let node_commands = gate.as_ref().map(NodeGate::commands).unwrap_or_default();
    let supply = supply::start(images_supply, Arc::new(runtime), node_commands, &dir, stop.clone())?;
    reconcilers.start(supply.reconciler);
    let own = Arc::new(OwnRoutes::new(clock.now(), registry, reconcilers.clone()));
    let record = record(&settings, local, tls.as_deref(), clock.now().iso8601());
    records::write(&dir.server_record(), &record)?;
    if let Some(tls) = &tls {
        let (dir, record) = (dir.clone(), record.clone());
        tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone(), move |certificate_sha256| {
            let renewed = ServerRecord { certificate_sha256: Some(certificate_sha256), ..record.clone() };
            records::write(&dir.server_record(), &renewed)
        }));
    }
    let (gateway, observer) = (Arc::new(gateway), Arc::new(move |outcome: &Outcome| metrics.observe(outcome)));
    let for_workloads =
        Server::new(gateway.clone(), door_limits(&settings.limits), door::no_own_pages(), observer.clone());
    door.open(for_workloads.with_routes(images.clone()));
    let doors = tokio::spawn(DoorSocket::make(&dir)?.serve(door));
    // Joined nodes keep their leases while requests under way finish: an upgrade is shorter than a lease.
    let (drained, gate_stop) = stop::stop();
    let gate = gate.map(|gate| tokio::spawn(gate.serve(gate_stop)));
    let server = Server::new(
        gateway,
        limits(&settings.limits),
        Arc::new({
            let own = own.clone();
            move |parts| own.answer(&parts.method, parts.uri.path())
        }),
        observer,
    )
    .with_routes(images);
    let uses = tokio::spawn(keep_uses(platform, stop.clone()));
    own.set_ready(true);
    ready()?;
    info!(endpoint = record.endpoint, region = %record.region, account = %record.account, "serving");
    let wire_tls = tls.map_or(wire::serve::Tls::Off, |tls| wire::serve::Tls::On(Arc::new(move || tls.acceptor())));
    let stopping = async {
        stop.requested().await;
        own.set_ready(false);
        info!("draining");
    };
    tokio::select! {
        served = wire::serve::serve(Arc::new(server), listener, wire_tls, stopping) => served?,
        // What an uncertain store holds is known once it has been opened again: the supervisor starts a new server.
        failure = store.failure() => return Err(failure).context("the state can no longer be written"),
    }
    drained.stop();
    supply.commands.await.context("the control socket broke off")?;
    doors.await.context("the door of workloads broke off")?;
    if let Some(gate) = gate {
        gate.await.context("the nodes' port broke off")?;
    }
    uses.await.context("the watch over access keys broke off")?;
    store.close().await.context("cannot close the state")?;
    reconcilers.ended().await;
    // It waits for the disk, and nothing else is left to be done.
    tokio::task::block_in_place(|| segments.close());
    records::remove(&dir.server_record());
    Ok(())
}

/// The base URL at which a client on this machine reaches a listener.
pub(crate) fn endpoint(tls: &Tls, local: SocketAddr) -> String {
    let scheme = if *tls == Tls::Off { "http" } else { "https" };
    format!("{scheme}://{}", reachable_locally(local))
}

fn public_address(url: &PublicUrl) -> ecr::PublicAddress {
    ecr::PublicAddress { authority: url.authority().to_owned(), is_secure: url.is_secure() }
}

fn record(settings: &Settings, local: SocketAddr, tls: Option<&ServerTls>, started_at: String) -> ServerRecord {
    ServerRecord {
        pid: std::process::id(),
        endpoint: endpoint(&settings.tls, local),
        region: settings.region.clone(),
        account: settings.account,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at,
        ca_bundle: tls.and_then(ServerTls::ca_bundle),
        certificate_sha256: tls.map(ServerTls::certificate_sha256),
    }
}

/// By which names this server's registry is known.
fn own_names(settings: &Settings, local: SocketAddr, ecr: &ecr::Ecr) -> OwnNames {
    OwnNames {
        listener: local,
        public: settings.public_url.as_ref().map(|url| url.authority().to_owned()),
        account: settings.account,
        region: settings.region.clone(),
        images: Arc::new(EcrImages(ecr.clone())),
    }
}

/// How the events of log groups are kept.
fn log_files(configured: &CloudWatchLogs) -> segments::Options {
    segments::Options {
        total_bytes_max: configured.max_bytes.get(),
        group_bytes_max: configured.max_group_bytes.get(),
        ..segments::Options::default()
    }
}

/// The open files that are kept for the store and everything else that is no client's connection.
const FILES_KEPT: u64 = 256;

/// The connections that fit beside the server's own files: clients must not be able to take the last descriptor.
fn connections(wanted: u64, open_files_max: Option<u64>) -> u64 {
    let room = open_files_max.map_or(u64::MAX, |max| max.saturating_sub(FILES_KEPT).max(max / 2));
    if room < wanted {
        warn!(connections = room, "fewer connections than configured: this process may open few files (ulimit -n)");
    }
    wanted.min(room)
}

fn limits(configured: &Limits) -> ServeLimits {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let open_files_max = getrlimit(Resource::Nofile).current;
    ServeLimits {
        connections_max: count(connections(configured.max_connections.get(), open_files_max)),
        head_bytes_max: count(configured.max_head_bytes.get()),
        body_bytes_max: count(configured.max_body_bytes.get()),
        head_timeout: Duration::from_millis(configured.head_timeout_ms.get()),
        body_timeout: Duration::from_millis(configured.body_timeout_ms.get()),
        drain_timeout: DRAIN,
        ..ServeLimits::default()
    }
}

/// The same for what comes through the workloads' door, which has its own room in memory: a part of what others have.
fn door_limits(configured: &Limits) -> ServeLimits {
    let all = limits(configured);
    let part = |bytes: usize| bytes / 4;
    ServeLimits { bodies_bytes_max: part(all.bodies_bytes_max), answers_bytes_max: part(all.answers_bytes_max), ..all }
}

/// Every key that is not in the store.
fn fixed_keys(settings: &Settings, root: &RootKey) -> Vec<FixedKey> {
    let root = FixedKey {
        access_key_id: root.access_key_id.clone(),
        secret: SecretAccessKey::new(root.secret_access_key.reveal()),
        principal: Principal::root(root.account),
    };
    let configured = settings.access_keys.iter().map(|key| FixedKey {
        access_key_id: key.id.as_str().to_owned(),
        secret: SecretAccessKey::new(key.secret.reveal()),
        principal: match &key.principal {
            ConfiguredPrincipal::Root => Principal::root(key.account),
            ConfiguredPrincipal::User(name) => FixedKey::user(key.account, name),
            ConfiguredPrincipal::Role(name) => FixedKey::role(key.account, name),
        },
    });
    std::iter::once(root).chain(configured).collect()
}

/// Writes down, once a minute and at the end, when users' keys were last used.
async fn keep_uses(platform: Platform, stop: Stop) {
    loop {
        let stopping = tokio::time::timeout(FLUSH_PERIOD, stop.requested()).await.is_ok();
        if let Err(error) = platform.keys.flush_uses(&platform.store).await {
            warn!(%error, "the last uses of access keys could not be written");
        }
        if stopping {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_server_itself() {
        assert_eq!(connections(4096, None), 4096);
        assert_eq!(connections(4096, Some(1_048_576)), 4096);
        assert_eq!(connections(4096, Some(1024)), 768);
        assert_eq!(connections(4096, Some(200)), 100);
        assert_eq!(connections(10, Some(1024)), 10);
    }
}
