//! Listeners and connections.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use super::answer::AnswerBody;
use super::below::{Below, elsewhere};
use super::link::Link;
use super::opening::{Opened, Spoken};
use super::room::Place;
use super::socket::Socket;
use super::stream::stops;
use super::{Backend, ServeLimits, Server};

/// How long a client may take for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait after a failed accept: with no descriptors left, asking again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The most HTTP/2 streams of one connection.
const STREAMS_MAX: u32 = 128;
/// What a stream holds of an answer until the socket takes it: two pieces of a file.
const STREAM_BUFFER_BYTES: usize = 64 * 1024;

/// How much is read at once for HTTP/1, once so much comes. For large bodies it is system calls that cost; but a connection
/// has three of these at a time: one that fills, one on its way, and one with whoever takes the body.
const READ_BYTES_MAX: usize = 64 * 1024;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Whether the server speaks TLS.
#[derive(Clone)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// With whatever identity this answers at the moment; certificates are renewed while the server runs.
    On(Arc<dyn Fn() -> TlsAcceptor + Send + Sync>),
}

/// Serves connections from `listener` until `stop` resolves, then lets open requests finish within
/// [`ServeLimits::drain_timeout`].
pub async fn serve<B: Backend>(
    server: Arc<Server<B>>,
    listener: TcpListener,
    tls: Tls,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let graceful = Arc::new(GracefulShutdown::new());
    let slots = Arc::new(Semaphore::new(server.limits.connections_max));
    let mut stop = std::pin::pin!(stop);
    loop {
        let slot = tokio::select! {
            () = &mut stop => break,
            slot = slots.clone().acquire_owned() => slot.map_err(std::io::Error::other)?,
        };
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (server, tls, watcher) = (server.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _slot = slot;
            connection(server, stream, peer, tls, watcher).await;
        });
    }
    drop(listener);
    server.stopping.send_replace(true);
    let drain = server.limits.drain_timeout;
    let graceful = Arc::try_unwrap(graceful).map_err(|_| std::io::Error::other("the listener is shared"))?;
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(seconds = drain.as_secs(), "some requests were still open and are cut off");
    }
    Ok(())
}

/// Serves a connection that did not come through a listener, until it ends or `stop` resolves; then an open request may
/// finish within [`ServeLimits::drain_timeout`]. Where it comes from is not known to policies. Whoever is at its other end may know
/// the server by an address with a path in it: then everything is [`Below`] that.
pub async fn serve_stream<B: Backend>(
    server: Arc<Server<B>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    below: Option<Below>,
    stop: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let link = Arc::new(Link::default());
    let whence = Whence { peer: None, below };
    let mut served = std::pin::pin!(requests(server.clone(), stream, link, whence, graceful.watcher()));
    tokio::select! {
        () = &mut served => return,
        () = stop => {}
    }
    server.stopping.send_replace(true);
    let drained = async { tokio::join!(graceful.shutdown(), served) };
    if tokio::time::timeout(server.limits.drain_timeout, drained).await.is_err() {
        tracing::debug!("a request of a workload was still open and is cut off");
    }
}

async fn connection<B: Backend>(
    server: Arc<Server<B>>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Tls,
    watcher: hyper_util::server::graceful::Watcher,
) {
    // Answers are small and written at once: waiting to fill a packet only adds latency.
    let _ = stream.set_nodelay(true);
    let link = Arc::new(if matches!(tls, Tls::Off) { Link::plain() } else { Link::default() });
    let socket = Socket::new(stream, link.clone());
    let whence = Whence { peer: Some(peer.ip()), below: None };
    match tls {
        Tls::Off => requests(server, socket, link, whence, watcher).await,
        Tls::On(acceptor) => {
            let handshake = acceptor().accept(socket);
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await {
                Ok(Ok(stream)) => requests(server, stream, link, whence, watcher).await,
                Ok(Err(error)) => tracing::debug!(%peer, %error, "a TLS handshake failed"),
                Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
            }
        }
    }
}

/// Where a connection comes from.
struct Whence {
    /// As policies see it.
    peer: Option<IpAddr>,
    /// The address that the server is known by there.
    below: Option<Below>,
}

async fn requests<B: Backend>(
    server: Arc<Server<B>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    link: Arc<Link>,
    Whence { peer, below }: Whence,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let (limits, mut stopping) = (server.limits, server.stopping.subscribe());
    let service = {
        let link = link.clone();
        service_fn(move |request: Request<Incoming>| {
            let open = link.activity.begin();
            let (server, link) = (server.clone(), link.clone());
            let request = match &below {
                Some(below) => below.enter(request),
                None => Some(request),
            };
            async move {
                let Some(request) = request else { return Ok(elsewhere()) };
                let is_one_of_many = request.version() == Version::HTTP_2;
                let stream = is_one_of_many.then(|| server.streams.open(&link)).flatten();
                if is_one_of_many && stream.is_none() {
                    tracing::debug!(?peer, "a request is refused: there are too many");
                    return Ok(too_many());
                }
                let response = server.answer(request, peer, link, stream.clone()).await;
                drop(open);
                Ok::<_, std::convert::Infallible>(response.map(|body| body.on(stream)))
            }
        })
    };
    let served = async {
        let (stream, spoken) = tokio::select! {
            opened = Opened::new(stream) => opened?,
            () = stops(&mut stopping) => return Ok(()),
        };
        let io = TokioIo::new(stream);
        match spoken {
            Spoken::Http1 => watcher.watch(http1(&limits).serve_connection(io, service)).await?,
            Spoken::Http2 => watcher.watch(http2(&limits).serve_connection(io, service)).await?,
        }
        Ok::<_, BoxError>(())
    };
    let ended = tokio::select! {
        ended = served => ended,
        () = link.activity.ceased(limits.head_timeout) => {
            return tracing::debug!(?peer, "a connection without a request is closed");
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?peer, %error, "a connection ended early");
    }
}

/// The answer to a request that finds no place among the streams.
fn too_many() -> http::Response<AnswerBody> {
    let mut response = http::Response::new(AnswerBody::new(Bytes::new(), Place::default()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

fn http1(limits: &ServeLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(READ_BYTES_MAX.max(limits.head_bytes_max))
        // A client may close its side once it has sent a request and still wants the answer.
        .half_close(true);
    builder
}

fn http2(limits: &ServeLimits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(STREAM_BUFFER_BYTES)
        .keep_alive_interval(Some(limits.head_timeout))
        .keep_alive_timeout(limits.head_timeout);
    builder
}
