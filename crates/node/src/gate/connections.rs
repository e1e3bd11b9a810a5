//! The gate's port: connections, handshakes, and who is at their other ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::UnixTime;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::arrivals::{Arrival, Arrivals};
use super::authority::Authority;
use super::routes::{self, Caller};
use super::words::HEAD_BYTES_MAX;
use super::{Gate, GateError, keep_alive};
use crate::certificates::{AuthorityError, Fingerprint};

/// How long a handshake may take: two ways through the network, and what both ends compute.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// How long a connection may take for a request's head, and idle between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long somebody may be connected who shows no certificate of a host.
const STRANGER_PATIENCE: Duration = Duration::from_secs(20);
/// A pause after a failure to accept, which is the want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How much is read at once, in bytes.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What speaks TLS: 1.3 alone, since both sides are this program; whoever shows a certificate shows one of the authority's.
pub(super) fn tls(
    authority: &Authority,
    identity: CertifiedKey,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, AuthorityError> {
    let damaged = |_| AuthorityError::Damaged;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()?).map_err(damaged)?;
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|_| AuthorityError::Damaged)?;
    let config = ServerConfig::builder_with_details(provider, Arc::new(ByClock(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(damaged)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    Ok(config)
}

/// Certificates end by the same clock that they are made by.
#[derive(Debug)]
struct ByClock(Arc<dyn Clock>);

impl TimeProvider for ByClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_secs()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl Gate {
    /// Accepts connections until told to stop; then all end, those of workloads included.
    pub(super) async fn accept(&self, listener: &TcpListener, stop: impl Future<Output = ()>) {
        let arrivals = Arrivals::new(Arc::clone(&self.0.uptime));
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                match listener.accept().await {
                    // Nothing is said to who is turned away: every word costs.
                    Ok((stream, peer)) => match arrivals.arrive(peer.ip()) {
                        Some(arrival) => drop(connections.spawn(self.clone().connected(stream, peer, arrival))),
                        None => tracing::debug!(%peer, "what comes from there comes to nothing: it is turned away"),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "a node could not connect");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
                while connections.try_join_next().is_some() {}
            }
        };
        tokio::select! {
            () = accepting => {}
            () = stop => {}
        }
        connections.shutdown().await;
    }

    async fn connected(self, stream: TcpStream, peer: SocketAddr, arrival: Arrival) {
        if let Err(error) = self.connection(stream, peer, arrival).await {
            tracing::debug!(%peer, %error, "a connection to the nodes' port ended early");
        }
    }

    /// A connection: of a host, or of somebody who may be let in until others need the place.
    async fn connection(&self, stream: TcpStream, peer: SocketAddr, arrival: Arrival) -> io::Result<()> {
        let (stream, caller) = unless_ousted(&arrival, self.welcome(stream)).await?;
        if let Caller::Host { host, .. } = &caller {
            arrival.admitted();
            let gone = host.gone();
            return tokio::select! {
                served = self.requests(stream, caller) => served,
                () = gone => Ok(()),
            };
        }
        tracing::debug!(%peer, "somebody is connected who is no node");
        let served = self.requests(stream, caller);
        unless_ousted(&arrival, async { timeout(STRANGER_PATIENCE, served).await? }).await
    }

    /// The handshake, and who it is with.
    async fn welcome(&self, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Caller)> {
        keep_alive(&stream)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.tls));
        let stream = timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream)).await??;
        let caller = self.caller(&stream).await?;
        Ok((stream, caller))
    }

    /// Who shows which certificate. That it is the authority's own has been seen in the handshake.
    async fn caller(&self, stream: &TlsStream<TcpStream>) -> io::Result<Caller> {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let Some(certificate) = shown.map(|der| Fingerprint::of(der)) else { return Ok(Caller::Stranger) };
        match self.0.roster.who(certificate, self.0.clock.now()).await {
            Ok((name, _)) => {
                // Removed a moment ago.
                let Some(host) = self.present(&name) else { return Ok(Caller::Former(certificate)) };
                let too_many = || io::Error::other("a node has too many connections");
                // What outlives the requests of a connection keeps its place.
                let place = Arc::new(Arc::clone(&host.places).try_acquire_owned().map_err(|_| too_many())?);
                Ok(Caller::Host { host, certificate, place })
            }
            Err(GateError::Unknown | GateError::Expired) => Ok(Caller::Former(certificate)),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    async fn requests(&self, stream: TlsStream<TcpStream>, caller: Caller) -> io::Result<()> {
        let service = service_fn(|request| {
            let (gate, caller) = (self.clone(), caller.clone());
            async move { Ok::<_, Infallible>(routes::answer(gate, caller, request).await) }
        });
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_header_size(HEAD_BYTES_MAX)
            .max_buf_size(READ_BYTES_MAX);
        builder.serve_connection(TokioIo::new(stream), service).with_upgrades().await.map_err(io::Error::other)
    }
}

/// Does something for somebody who is no host until others need the place.
async fn unless_ousted<T>(arrival: &Arrival, act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::select! {
        done = act => done,
        () = arrival.ousted() => Err(io::Error::other("others need the place")),
    }
}
