//! The gate's port: connections, handshakes, and who is at their other ends.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::authority::{Authority, AuthorityError};
use super::fingerprint::Fingerprint;
use super::routes::{self, Caller};
use super::words::HEAD_BYTES_MAX;
use super::{Gate, keep_alive};

/// Connections at one time; further ones wait in the listen queue.
const CONNECTIONS_MAX: usize = 4096;
/// Connections of those who show no certificate of a host.
const STRANGERS_MAX: usize = 32;
/// How long a handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may take for a request's head, and idle between two requests.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);
/// How long somebody may be connected who shows no certificate of a host.
const STRANGER_PATIENCE: Duration = Duration::from_secs(30);
/// A pause after a failure to accept, which is the want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How much is read at once, in bytes.
const READ_BYTES_MAX: usize = 64 * 1024;

/// What speaks TLS: 1.3 alone, since both sides are this program; whoever shows a certificate shows one of the authority's.
pub(super) fn tls(authority: &Authority, identity: CertifiedKey) -> Result<ServerConfig, AuthorityError> {
    let damaged = |_| AuthorityError::Damaged;
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()?).map_err(damaged)?;
    let provider = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|_| AuthorityError::Damaged)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(damaged)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    Ok(config)
}

impl Gate {
    /// Accepts connections until told to stop; then all end, those of workloads included.
    pub(super) async fn accept(&self, listener: &TcpListener, stop: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                // Nobody closes it.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((stream, peer)) => {
                        let (gate, strangers) = (self.clone(), Arc::clone(&strangers));
                        connections.spawn(async move {
                            if let Err(error) = gate.connection(stream, peer, strangers, place).await {
                                tracing::debug!(%peer, %error, "a connection to the nodes' port ended early");
                            }
                        });
                    }
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

    async fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        strangers: Arc<Semaphore>,
        place: OwnedSemaphorePermit,
    ) -> io::Result<()> {
        keep_alive(&stream)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.tls));
        let stream = timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream)).await??;
        let caller = self.caller(&stream).await?;
        match &caller {
            Caller::Host { host, .. } => {
                let too_many = || io::Error::other("a node has too many connections");
                let of_host = Arc::clone(&host.places).try_acquire_owned().map_err(|_| too_many())?;
                // What outlives the requests is counted as the host's.
                drop(place);
                let gone = host.gone();
                tokio::select! {
                    served = self.requests(stream, caller, Arc::new(of_host)) => served,
                    () = gone => Ok(()),
                }
            }
            Caller::Stranger | Caller::Removed => {
                let too_many = || io::Error::other("too many are connected that are no nodes");
                let of_strangers = Arc::clone(&strangers).try_acquire_owned().map_err(|_| too_many())?;
                tracing::debug!(%peer, "somebody is connected who is no node");
                let served = self.requests(stream, caller, Arc::new(of_strangers));
                timeout(STRANGER_PATIENCE, served).await?
            }
        }
    }

    /// Who shows which certificate. That it is the authority's own has been seen in the handshake.
    async fn caller(&self, stream: &TlsStream<TcpStream>) -> io::Result<Caller> {
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let Some(certificate) = shown.map(|der| Fingerprint::of(der)) else { return Ok(Caller::Stranger) };
        match self.0.roster.who(certificate, self.0.clock.now()).await {
            Ok(name) => Ok(Caller::Host { host: self.host(&name), certificate }),
            Err(super::GateError::Unknown) => Ok(Caller::Removed),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    async fn requests(
        &self,
        stream: TlsStream<TcpStream>,
        caller: Caller,
        place: Arc<OwnedSemaphorePermit>,
    ) -> io::Result<()> {
        let service = service_fn(|request| {
            let (gate, caller, place) = (self.clone(), caller.clone(), Arc::clone(&place));
            async move { Ok::<_, Infallible>(routes::answer(gate, caller, request, place).await) }
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
