//! A server with a few routes beside the API, and the ways in which clients reach it.

use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use wire::serve::raw::{RawBody, RawRequest, RawResponse, Routes};
use wire::serve::{BodyError, BoxFuture, RequestBody, ServeLimits, Tls};

use super::super::harness::Running;

/// How long the file is that the routes serve: not a whole number of anything.
pub(crate) const FILE_BYTES: u64 = 3 * 1024 * 1024 + 4321;

/// The bytes of a range of every body that these tests send or expect; wherever pieces are mixed up, it shows.
pub(crate) fn bytes_of(range: std::ops::Range<u64>) -> Vec<u8> {
    let mixed = |word: u64| (word + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    let mut bytes = Vec::with_capacity((range.end - range.start) as usize + 16);
    for word in range.start / 8..range.end.div_ceil(8) {
        bytes.extend_from_slice(&mixed(word));
    }
    bytes.drain(..(range.start % 8) as usize);
    bytes.truncate((range.end - range.start) as usize);
    bytes
}

/// Routes below `/r/`.
pub(crate) struct Shelf {
    /// What `/r/file` serves.
    pub(crate) file: File,
    /// How each body ended that was read to its end.
    pub(crate) ends: Mutex<Vec<Result<u64, BodyError>>>,
    /// One permit for each of them.
    pub(crate) ended: Semaphore,
    /// One permit for each handler of `/r/waits` that has begun.
    pub(crate) waiting: Semaphore,
    /// One permit lets one of them go on.
    pub(crate) go: Semaphore,
}

impl Shelf {
    pub(crate) fn new() -> Arc<Self> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes_of(0..FILE_BYTES)).unwrap();
        Self::of(file)
    }

    /// One that serves this file.
    pub(crate) fn of(file: File) -> Arc<Self> {
        let none = || Semaphore::new(0);
        Arc::new(Self { file, ends: Mutex::default(), ended: none(), waiting: none(), go: none() })
    }

    /// Reads a body and checks every byte of it; how long it was.
    async fn read(&self, body: &mut RequestBody) -> Result<u64, BodyError> {
        let mut position = 0;
        let end = loop {
            match body.next().await {
                Ok(Some(piece)) => {
                    assert!(!piece.is_empty());
                    assert!(piece == bytes_of(position..position + piece.len() as u64), "at {position}");
                    position += piece.len() as u64;
                }
                Ok(None) => break Ok(position),
                Err(error) => break Err(error),
            }
        };
        self.ends.lock().unwrap().push(end);
        self.ended.add_permits(1);
        end
    }

    /// Takes a body without a look at it.
    async fn count(&self, body: &mut RequestBody) -> Result<u64, BodyError> {
        let mut length = 0;
        while let Some(piece) = body.next().await? {
            length += piece.len() as u64;
        }
        Ok(length)
    }
}

impl Routes for Shelf {
    fn service(&self) -> &'static str {
        "shelf"
    }

    fn takes(&self, parts: &Parts) -> bool {
        parts.uri.path().starts_with("/r/")
    }

    fn answer(self: Arc<Self>, mut request: RawRequest) -> BoxFuture<'static, RawResponse> {
        Box::pin(async move {
            let query = request.parts.uri.query().unwrap_or_default().to_owned();
            let number = |name: &str| {
                let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(key, _)| *key == name).map(|(_, value)| value.parse::<u64>().unwrap())
            };
            match request.parts.uri.path() {
                "/r/file" => {
                    let range = number("from").unwrap_or(0)..number("to").unwrap_or(FILE_BYTES);
                    let body = RawBody::File { file: self.file.try_clone().unwrap(), range };
                    response(200, body, "GetFile")
                }
                "/r/read" => match self.read(&mut request.body).await {
                    Ok(length) => response(201, RawBody::Bytes(length.to_string().into()), "Read"),
                    Err(error) => response(400, RawBody::Bytes(format!("{error:?}").into()), "Read"),
                },
                "/r/count" => {
                    let length = self.count(&mut request.body).await.unwrap();
                    response(201, RawBody::Bytes(length.to_string().into()), "Count")
                }
                "/r/begin" => {
                    request.body.next().await.unwrap();
                    response(409, RawBody::Bytes("begun".into()), "Begin")
                }
                "/r/declared" => {
                    let declared = format!("{:?}", request.body.declared_length());
                    response(200, RawBody::Bytes(declared.into()), "Declared")
                }
                "/r/bytes" => response(200, RawBody::Bytes(bytes_of(0..number("length").unwrap()).into()), "GetBytes"),
                "/r/told" => {
                    let mut answer = response(200, RawBody::Empty, "HeadTold");
                    answer.headers.insert("content-length", "12345".parse().unwrap());
                    answer
                }
                "/r/nothing" => response(204, RawBody::Empty, "Nothing"),
                "/r/unchanged" => response(304, RawBody::Bytes("unchanged".into()), "Unchanged"),
                "/r/panics" => panic!("as it was told to"),
                "/r/waits" => {
                    self.waiting.add_permits(1);
                    self.go.acquire().await.unwrap().forget();
                    self.read(&mut request.body).await.unwrap();
                    response(200, RawBody::Empty, "Waits")
                }
                _ => response(403, RawBody::Bytes("refused".into()), "Refused"),
            }
        })
    }
}

fn response(status: u16, body: RawBody, operation: &'static str) -> RawResponse {
    RawResponse { status: StatusCode::from_u16(status).unwrap(), headers: HeaderMap::new(), body, operation }
}

/// How a client speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Http1,
    Http1Tls,
    Http2,
    Http2Tls,
}

pub(crate) const WAYS: [Way; 4] = [Way::Http1, Way::Http1Tls, Way::Http2, Way::Http2Tls];

impl Way {
    pub(crate) fn is_tls(self) -> bool {
        matches!(self, Self::Http1Tls | Self::Http2Tls)
    }

    pub(crate) fn is_http_2(self) -> bool {
        matches!(self, Self::Http2 | Self::Http2Tls)
    }
}

/// A server with routes.
pub(crate) struct Stage {
    pub(crate) running: Running,
    pub(crate) shelf: Arc<Shelf>,
    certificate: CertificateDer<'static>,
    way: Way,
}

/// A connection of hyper's own client.
pub(crate) enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

/// What came.
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, or what came of it before it broke off.
    pub(crate) body: Vec<u8>,
    pub(crate) is_whole: bool,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

impl Stage {
    pub(crate) async fn new(way: Way) -> Self {
        Self::with(way, ServeLimits::default(), Shelf::new()).await
    }

    pub(crate) async fn with(way: Way, limits: ServeLimits, shelf: Arc<Shelf>) -> Self {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = identity.cert.der().clone();
        let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let tls = if way.is_tls() { Tls::On(Arc::new(move || acceptor.clone())) } else { Tls::Off };
        let running = Running::start_with(limits, tls, Some(shelf.clone())).await;
        Self { running, shelf, certificate, way }
    }

    /// A connection of hyper's client.
    pub(crate) async fn sender(&self) -> Sender {
        let stream = TcpStream::connect(self.running.address).await.unwrap();
        if !self.way.is_tls() {
            return self.handshake(stream).await;
        }
        self.handshake(self.secured(stream).await).await
    }

    /// A connection of TLS.
    pub(crate) async fn secured(&self, stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![if self.way.is_http_2() { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    async fn handshake(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
        let io = TokioIo::new(stream);
        if self.way.is_http_2() {
            let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            return Sender::Http2(sender);
        }
        let (sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        Sender::Http1(sender)
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.sender().await.send(Method::GET, path, Vec::new()).await
    }
}

impl Sender {
    /// Sends a request whose answer begins, at least.
    pub(crate) async fn send(&mut self, method: Method, path: &str, body: Vec<u8>) -> Got {
        self.try_send(method, path, body).await.unwrap()
    }

    /// Sends a request whose answer may not even begin.
    pub(crate) async fn try_send(&mut self, method: Method, path: &str, body: Vec<u8>) -> hyper::Result<Got> {
        let uri = format!("http://localhost{path}");
        let request = http::Request::builder().method(method).uri(uri).header("host", "localhost");
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (parts, mut incoming) = answer.into_parts();
        let (mut body, mut is_whole) = (Vec::new(), true);
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    is_whole = false;
                    break;
                }
            }
        }
        Ok(Got { status: parts.status.as_u16(), headers: parts.headers, body, is_whole })
    }
}
