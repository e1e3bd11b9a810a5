//! The server: builds everything that answers, serves until told to stop, then drains.
//!
//! This file is the seam between the process (`role`) and what it serves: [`ground`] is what it stands on, [`beside`] what goes
//! on beside requests.

mod beside;
mod ground;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use platform::{Gateway, Platform};
use prometheus_client::registry::Registry;
use rustix::process::{Resource, getrlimit};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{info, warn};
use wire::serve::{Outcome, ServeLimits, Server};

use crate::config::{Limits, reachable_locally};
use crate::data_dir::DataDir;
use crate::door::{self, Door, DoorSocket};
use crate::log_metrics::LogMetrics;
use crate::own_routes::OwnRoutes;
use crate::records::{self, ServerRecord};
use crate::request_metrics::{DenialMetrics, RequestMetrics};
use crate::services::{self, Built};
use crate::settings::{Settings, Tls};
use crate::stop::{self, Stop, Stopper};
use crate::tls::ServerTls;
use beside::Beside;
use ground::Ground;

/// How long rounds of reconcilers may take to their end once the store is closed.
const ROUNDS_END_MAX: Duration = Duration::from_millis(500);
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
    let ground = Ground::open(&settings, &dir)?;
    let Built { gateway, routes, background } = services::build(ground.foundation(&settings, local));
    let door = Door::new(stop.clone());
    let parts = beside::Parts {
        settings: &settings,
        dir: &dir,
        ground: &ground,
        background,
        local,
        node,
        door: &door,
        stop: &stop,
    };
    let Beside { reconcilers, gate, commands } = Beside::start(parts).await?;
    let mut registry = Registry::default();
    let metrics = RequestMetrics::register(&mut registry);
    registry.register_collector(Box::new(DenialMetrics(ground.denials.clone())));
    registry.register_collector(Box::new(LogMetrics(ground.segments.clone())));
    let own = Arc::new(OwnRoutes::new(SystemClock.now(), registry, reconcilers.clone()));
    let record = record(&settings, local, ground.tls.as_deref(), SystemClock.now().iso8601());
    records::write(&dir.server_record(), &record)?;
    if let Some(tls) = &ground.tls {
        keep_fresh(tls, &dir, &record, &stop);
    }
    let observer = Arc::new(move |outcome: &Outcome| metrics.observe(outcome));
    let gateway = Arc::new(gateway);
    let for_workloads =
        Server::new(gateway.clone(), door_limits(&settings.limits), door::no_own_pages(), observer.clone());
    door.open(routes.iter().cloned().fold(for_workloads, Server::with_routes));
    // Joined nodes keep their leases while requests under way finish: an upgrade is shorter than a lease.
    let (drained, gate_stop) = stop::stop();
    let others = Others {
        commands,
        doors: tokio::spawn(DoorSocket::make(&dir)?.serve(door)),
        gate: gate.map(|gate| tokio::spawn(gate.serve(gate_stop))),
        uses: tokio::spawn(keep_uses(ground.platform.clone(), stop.clone())),
    };
    let pages = own.clone();
    let pages = Arc::new(move |parts: &http::request::Parts| pages.answer(&parts.method, parts.uri.path()));
    let server = Server::new(gateway, limits(&settings.limits), pages, observer);
    let server = routes.into_iter().fold(server, Server::with_routes);
    own.set_ready(true);
    ready()?;
    info!(endpoint = record.endpoint, region = %record.region, account = %record.account, "serving");
    serve(server, listener, &ground, &own, &stop).await?;
    others.end(&drained).await?;
    ground.platform.store.close().await.context("cannot close the state")?;
    // What still waits for a node can write down nothing of what it hears.
    if timeout(ROUNDS_END_MAX, reconcilers.ended()).await.is_err() {
        info!("rounds that were under way are broken off");
    }
    // It waits for the disk, and nothing else is left to be done.
    tokio::task::block_in_place(|| ground.segments.close());
    records::remove(&dir.server_record());
    Ok(())
}

/// Answers requests until told to stop, then finishes those under way.
async fn serve(
    server: Server<Gateway>,
    listener: TcpListener,
    ground: &Ground,
    own: &OwnRoutes,
    stop: &Stop,
) -> Result<()> {
    let tls = ground.tls.clone();
    let tls = tls.map_or(wire::serve::Tls::Off, |tls| wire::serve::Tls::On(Arc::new(move || tls.acceptor())));
    let stopping = async {
        stop.requested().await;
        own.set_ready(false);
        info!("draining");
    };
    tokio::select! {
        served = wire::serve::serve(Arc::new(server), listener, tls, stopping) => Ok(served?),
        // What an uncertain store holds is known once it has been opened again: the supervisor starts a new server.
        failure = ground.platform.store.failure() => Err(failure).context("the state can no longer be written"),
    }
}

/// Who else answers, or writes.
struct Others {
    commands: JoinHandle<()>,
    doors: JoinHandle<()>,
    gate: Option<JoinHandle<()>>,
    uses: JoinHandle<()>,
}

impl Others {
    /// Waits until they have ended, once no request is under way any more.
    async fn end(self, drained: &Stopper) -> Result<()> {
        drained.stop();
        self.commands.await.context("the control socket broke off")?;
        self.doors.await.context("the door of workloads broke off")?;
        if let Some(gate) = self.gate {
            gate.await.context("the nodes' port broke off")?;
        }
        self.uses.await.context("the watch over access keys broke off")
    }
}

/// Renews the server's certificate before it ends, and writes down which it is then.
fn keep_fresh(tls: &Arc<ServerTls>, dir: &DataDir, record: &ServerRecord, stop: &Stop) {
    let (dir, record) = (dir.clone(), record.clone());
    tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone(), move |certificate_sha256| {
        let renewed = ServerRecord { certificate_sha256: Some(certificate_sha256), ..record.clone() };
        records::write(&dir.server_record(), &renewed)
    }));
}

/// The base URL at which a client on this machine reaches a listener.
pub(crate) fn endpoint(tls: &Tls, local: SocketAddr) -> String {
    let scheme = if *tls == Tls::Off { "http" } else { "https" };
    format!("{scheme}://{}", reachable_locally(local))
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
