//! Connections: found, made, led through proxies, encrypted, kept.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{Empty, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::address::{Origin, Rules};
use super::proxy::Proxy;
use super::{Config, Quoted, RemoteError, tls};

/// The longest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What is read from a connection at once at most, in bytes.
const READ_BYTES_MAX: usize = 256 * 1024;
/// How many addresses of a host are tried.
const ADDRESSES_MAX: usize = 8;
/// The head start of each address before the next (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);
/// How long a server of this machine is given to show that it speaks TLS.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How many unused connections are kept for one origin.
const IDLE_MAX: usize = 8;
/// For how many origins.
const IDLE_ORIGINS_MAX: usize = 64;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
type Stream = Box<dyn Duplex>;

pub(super) type Sender = SendRequest<Full<Bytes>>;

/// Makes connections and keeps those that are not used.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) config: Arc<Config>,
    pub(super) rules: Rules,
    /// Made when the first server is spoken to with TLS.
    tls: OnceCell<Arc<ClientConfig>>,
    idle: Mutex<HashMap<Origin, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: Connection,
    since: Instant,
}

/// An HTTP connection on which nothing is going on.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: Sender,
    /// Whether it leads to a proxy that wants whole addresses, and what it wants to know of us.
    pub(super) proxy: Option<Option<HeaderValue>>,
}

impl Connections {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let lower = |hosts: &BTreeSet<String>| hosts.iter().map(|it| it.to_ascii_lowercase()).collect();
        let mirrors = || config.mirrors.values().flatten();
        let mut plain: BTreeSet<String> = lower(&config.plain_http);
        plain.extend(mirrors().filter(|mirror| mirror.plain).map(|mirror| mirror.host.to_ascii_lowercase()));
        // Whoever wrote a host into the settings meant it, wherever it is.
        let mut inward: BTreeSet<String> = lower(&config.inward);
        inward.extend(plain.iter().cloned());
        inward.extend(mirrors().map(|mirror| mirror.host.to_ascii_lowercase()));
        Self { config, rules: Rules { plain, inward }, tls: OnceCell::new(), idle: Mutex::default() }
    }

    /// A connection that was kept, if one still lives.
    pub(super) fn kept(&self, origin: &Origin) -> Option<Connection> {
        let mut idle = self.idle();
        let kept = idle.get_mut(origin)?;
        let keep = self.config.timeouts.keep;
        while let Some(last) = kept.pop() {
            if last.since.elapsed() < keep && last.connection.sender.is_ready() {
                return Some(last.connection);
            }
        }
        idle.remove(origin);
        None
    }

    /// Keeps a connection, as soon as nothing goes on there, for a while.
    pub(super) fn keep(self: &Arc<Self>, origin: Origin, mut connection: Connection) {
        let keep = self.config.timeouts.keep;
        // Not kept alive by this task: with the last client all ends.
        let connections = Arc::downgrade(self);
        tokio::spawn(async move {
            if connection.sender.ready().await.is_err() {
                return;
            }
            let Some(all) = connections.upgrade() else { return };
            all.put(origin, connection);
            drop(all);
            sleep(keep).await;
            if let Some(all) = connections.upgrade() {
                all.forget_old(&mut all.idle());
            }
        });
    }

    fn put(&self, origin: Origin, connection: Connection) {
        let mut idle = self.idle();
        self.forget_old(&mut idle);
        if idle.len() < IDLE_ORIGINS_MAX || idle.contains_key(&origin) {
            let kept = idle.entry(origin).or_default();
            if kept.len() < IDLE_MAX {
                kept.push(Idle { connection, since: Instant::now() });
            }
        }
    }

    fn forget_old(&self, idle: &mut HashMap<Origin, Vec<Idle>>) {
        let keep = self.config.timeouts.keep;
        idle.retain(|_, kept| {
            kept.retain(|it| it.since.elapsed() < keep && !it.connection.sender.is_closed());
            !kept.is_empty()
        });
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<Origin, Vec<Idle>>> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new connection.
    pub(super) async fn connect(&self, origin: &Origin) -> Result<Connection, RemoteError> {
        let connecting = async {
            let proxy = self.config.proxies.on_the_way_to(origin);
            let stream = self.stream(origin, proxy).await?;
            let absolute = proxy.filter(|_| !origin.encrypted);
            let sender = http(stream).await.map_err(|error| broke_off(origin, error))?;
            Ok(Connection { sender, proxy: absolute.map(authorization) })
        };
        let late = || RemoteError::TimedOut { host: origin.quoted(), waiting_for: "to be connected to" };
        timeout(self.config.timeouts.connect, connecting).await.map_err(|_| late())?
    }

    /// Whether a server of this machine speaks TLS; the connection is kept if it does.
    pub(super) async fn speaks_tls(self: &Arc<Self>, origin: &Origin) -> Result<bool, RemoteError> {
        match timeout(PROBE_TIMEOUT, self.connect(origin)).await {
            Ok(Ok(connection)) => {
                self.keep(origin.clone(), connection);
                Ok(true)
            }
            Ok(Err(RemoteError::Certificate { .. })) => Ok(true),
            Ok(Err(RemoteError::Connect { source, .. })) if is_another_protocol(&source) => Ok(false),
            Ok(Err(error)) => Err(error),
            // It waits for the end of what it takes for a request.
            Err(_) => Ok(false),
        }
    }

    async fn stream(&self, origin: &Origin, proxy: Option<&Proxy>) -> Result<Stream, RemoteError> {
        let Some(proxy) = proxy else {
            let stream = self.tcp(origin, |ip| self.rules.may_reach(origin, ip)).await?;
            return if origin.encrypted { self.encrypt(origin, stream).await } else { Ok(Box::new(stream)) };
        };
        // The proxy finds the address. What is no name can be looked at here.
        if let Some(ip) = origin.ip().filter(|ip| !self.rules.may_reach(origin, *ip)) {
            return Err(RemoteError::Inward { host: origin.quoted(), ip });
        }
        let tcp = self.tcp(&proxy.origin, |_| true).await?;
        let stream = if proxy.origin.encrypted { self.encrypt(&proxy.origin, tcp).await? } else { Box::new(tcp) };
        if !origin.encrypted {
            return Ok(stream);
        }
        let tunnel = tunnel(proxy, origin, stream).await?;
        self.encrypt(origin, tunnel).await
    }

    async fn tcp(&self, origin: &Origin, may_reach: impl Fn(IpAddr) -> bool) -> Result<TcpStream, RemoteError> {
        let host = origin.host.as_str();
        let lookup = tokio::net::lookup_host((host, origin.port)).await;
        let found = lookup.map_err(|source| RemoteError::Lookup { host: origin.quoted(), source })?;
        let found: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
        // The addresses that are checked are those that are connected to: none is looked up again.
        if let Some(inward) = found.iter().find(|address| !may_reach(address.ip())) {
            return Err(RemoteError::Inward { host: origin.quoted(), ip: inward.ip() });
        }
        first_of(found).await.map_err(|source| RemoteError::Connect { host: origin.quoted(), source })
    }

    async fn encrypt(&self, origin: &Origin, stream: impl Duplex + 'static) -> Result<Stream, RemoteError> {
        let name = ServerName::try_from(origin.host.clone());
        let name = name.map_err(|_| RemoteError::Address { url: origin.quoted() })?;
        let config = self.tls.get_or_try_init(|| self.read_authorities()).await?;
        match TlsConnector::from(config.clone()).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(source) => Err(match rustls_error(&source) {
                Some(rustls::Error::InvalidCertificate(reason)) => {
                    let reason = Quoted::new(&reason.to_string());
                    RemoteError::Certificate { host: origin.quoted(), reason }
                }
                _ => RemoteError::Connect { host: origin.quoted(), source },
            }),
        }
    }

    async fn read_authorities(&self) -> Result<Arc<ClientConfig>, RemoteError> {
        let authorities = self.config.authorities.clone();
        let read = tokio::task::spawn_blocking(move || tls::client_config(&authorities)).await;
        Ok(Arc::new(read.map_err(|_| RemoteError::Stopped)??))
    }
}

/// Connects to the first address that answers. Each has a head start before the next, the families in turn.
async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let pairs = six.len().max(four.len());
    let in_turn = (0..pairs).flat_map(|place| [six.get(place), four.get(place)]).flatten();
    let mut attempts = JoinSet::new();
    for (place, address) in in_turn.copied().enumerate() {
        let wait = HEAD_START * u32::try_from(place).unwrap_or(u32::MAX);
        attempts.spawn(async move {
            sleep(wait).await;
            let stream = TcpStream::connect(address).await?;
            // Requests are written whole; nothing is gained by waiting for more.
            stream.set_nodelay(true)?;
            Ok(stream)
        });
    }
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Has a proxy connect to an origin.
async fn tunnel(proxy: &Proxy, origin: &Origin, stream: Stream) -> Result<Stream, RemoteError> {
    let at_proxy = |error| broke_off(&proxy.origin, error);
    let (mut sender, connection) = handshake::<Empty<Bytes>>(stream).await.map_err(at_proxy)?;
    let connection = tokio::spawn(connection.with_upgrades());
    let target = origin.authority_with_port();
    let mut request = Request::connect(&target).header(header::HOST, &target);
    if let Some(value) = authorization(proxy) {
        request = request.header(header::PROXY_AUTHORIZATION, value);
    }
    let request = request.body(Empty::new()).map_err(|_| RemoteError::Address { url: origin.quoted() })?;
    let answer = sender.send_request(request).await.map_err(at_proxy)?;
    let status = answer.status();
    if status != StatusCode::OK {
        connection.abort();
        let (proxy, host) = (proxy.origin.quoted(), origin.quoted());
        return Err(RemoteError::Proxy { proxy, host, status: status.as_u16() });
    }
    let upgraded = hyper::upgrade::on(answer).await.map_err(at_proxy)?;
    Ok(Box::new(TokioIo::new(upgraded)))
}

fn authorization(proxy: &Proxy) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(proxy.authorization.as_ref()?).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// HTTP over a stream, driven by a task that ends with it.
async fn http(stream: Stream) -> hyper::Result<Sender> {
    let (sender, connection) = handshake(stream).await?;
    tokio::spawn(async move {
        // What is wrong with it is told to whoever asks over it.
        let _ = connection.await;
    });
    Ok(sender)
}

async fn handshake<B>(stream: Stream) -> hyper::Result<(SendRequest<B>, http1::Connection<TokioIo<Stream>, B>)>
where
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(READ_BYTES_MAX).max_header_size(HEAD_BYTES_MAX);
    builder.handshake(TokioIo::new(stream)).await
}

pub(super) fn broke_off(origin: &Origin, error: hyper::Error) -> RemoteError {
    RemoteError::Exchange { host: origin.quoted(), source: Box::new(error) }
}

fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether a handshake failed because the other side speaks something else than TLS.
fn is_another_protocol(error: &io::Error) -> bool {
    let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
    match rustls_error(error) {
        Some(rustls::Error::InvalidMessage(_)) => true,
        Some(_) => false,
        None => closed.contains(&error.kind()),
    }
}
