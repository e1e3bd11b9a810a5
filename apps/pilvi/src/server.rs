//! The server: builds everything that answers, serves until told to stop, then drains.
//!
//! This file is the seam between the process (`role`) and what it serves.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, SystemRng};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use store::{Store, StoreOptions};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::config::{Limits, reachable_locally};
use crate::data_dir::DataDir;
use crate::own_routes::OwnRoutes;
use crate::records::{self, ServerRecord};
use crate::root_key::RootKey;
use crate::sealing_key;
use crate::settings::{Settings, Tls};
use crate::stop::Stop;
use crate::tls::ServerTls;

/// How long requests under way may take once the server was told to stop. The supervisor allows a little more.
const DRAIN: Duration = Duration::from_secs(4);

/// How long no connection is accepted after the kernel could give none (descriptors used up).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the process hands to the server.
pub(crate) struct Assignment {
    /// What was configured.
    pub(crate) settings: Settings,
    /// The data directory, which the process owns and has locked.
    pub(crate) dir: DataDir,
    /// The listening socket, which the supervisor holds open too.
    pub(crate) listener: TcpListener,
    /// When to stop.
    pub(crate) stop: Stop,
}

/// Serves until told to stop. `ready` is called once, when requests are answered.
///
/// # Errors
/// When the server cannot be built.
pub(crate) async fn run(assignment: Assignment, ready: impl FnOnce() -> Result<()>) -> Result<()> {
    let Assignment { settings, dir, listener, stop } = assignment;
    let local = listener.local_addr()?;
    let clock = SystemClock;
    // The sealing key first: it is what tells a directory that has lost its keys from a new one.
    let _sealing_key = sealing_key::load_or_make(&dir, &SystemRng)?;
    let store = Store::open(&dir.state(), StoreOptions::default()).context("cannot open the state")?;
    let _root_key = RootKey::load_or_make(&dir, settings.account, &SystemRng)?;
    let tls = ServerTls::prepare(&settings, &dir, clock.now())?.map(Arc::new);
    let own = Arc::new(OwnRoutes::new(clock.now(), Registry::default()));
    let record = record(&settings, local, tls.as_deref(), clock.now().iso8601());
    records::write(&dir.server_record(), &record)?;
    if let Some(tls) = &tls {
        let (dir, record) = (dir.clone(), record.clone());
        tokio::spawn(Arc::clone(tls).keep_fresh(stop.clone(), move |certificate_sha256| {
            let renewed = ServerRecord { certificate_sha256: Some(certificate_sha256), ..record.clone() };
            records::write(&dir.server_record(), &renewed)
        }));
    }
    own.set_ready(true);
    ready()?;
    info!(endpoint = record.endpoint, region = %record.region, account = %record.account, "serving");
    serve(listener, tls, &settings.limits, &own, &stop).await;
    store.close().await.context("cannot close the state")?;
    records::remove(&dir.server_record());
    Ok(())
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

/// Accepts connections until told to stop, then lets the requests under way end.
async fn serve(listener: TcpListener, tls: Option<Arc<ServerTls>>, limits: &Limits, own: &Arc<OwnRoutes>, stop: &Stop) {
    let places = Arc::new(Semaphore::new(usize::try_from(limits.max_connections.get()).unwrap_or(usize::MAX >> 4)));
    let mut connections = JoinSet::new();
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.requested() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.requested() => break,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, tls.clone(), limits.clone(), Arc::clone(own), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    own.set_ready(false);
    info!(connections = connections.len(), "draining");
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        warn!(connections = connections.len(), "requests were still under way at the end");
    }
}

async fn connection(stream: TcpStream, tls: Option<Arc<ServerTls>>, limits: Limits, own: Arc<OwnRoutes>, stop: Stop) {
    let head_timeout = Duration::from_millis(limits.head_timeout_ms.get());
    // Answers are small and whole: waiting for more to send would only delay them. Where it fails, they are delayed.
    let _ = stream.set_nodelay(true);
    let outcome = match tls {
        None => http(stream, head_timeout, own, stop).await,
        Some(tls) => match tokio::time::timeout(head_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => http(stream, head_timeout, own, stop).await,
            Ok(Err(error)) => return debug!("no TLS connection: {error}"),
            Err(_) => return debug!("no TLS connection in time"),
        },
    };
    if let Err(error) = outcome {
        debug!("a connection broke off: {error}");
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    head_timeout: Duration,
    own: Arc<OwnRoutes>,
    stop: Stop,
) -> hyper::Result<()> {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = own.answer(request.method(), request.uri().path()).unwrap_or_else(not_found);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = stop.requested() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

fn not_found() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("no such path\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
