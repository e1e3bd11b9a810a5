//! A server that answers what a test tells it to, byte by byte.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The target without its query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The same request without a header.
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.remove(name);
        other
    }

    /// The first byte that is wanted.
    pub(crate) fn from(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    head: String,
    body: Vec<u8>,
    end: End,
}

#[derive(Debug, Clone, PartialEq)]
enum End {
    /// The connection stays.
    Stay,
    /// It is closed.
    Close,
    /// Nothing follows, and nothing ends.
    Hang,
    /// This, again and again, with pauses.
    Repeat(Vec<u8>, Duration),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { head: format!("HTTP/1.1 {status} Some Words\r\n"), body: Vec::new(), end: End::Stay }
    }

    pub(crate) fn ok(body: impl AsRef<[u8]>) -> Self {
        Self::status(200).body(body)
    }

    /// Exactly these bytes, and then the end of the connection.
    pub(crate) fn raw(text: impl Into<String>) -> Self {
        Self { head: text.into(), body: Vec::new(), end: End::Close }.headed()
    }

    fn headed(mut self) -> Self {
        self.head.insert(0, '\0');
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    /// With another value of a header that it has.
    pub(crate) fn instead(mut self, name: &str, value: impl fmt::Display) -> Self {
        let lines = self.head.split_inclusive("\r\n").filter(|line| !line.starts_with(&format!("{name}:")));
        self.head = lines.collect();
        self.header(name, value)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// A body with its length.
    pub(crate) fn body(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        Self { body: body.to_vec(), ..self.header("Content-Length", body.len()) }
    }

    /// A body without saying how long it is.
    pub(crate) fn endless_body(self, body: impl AsRef<[u8]>) -> Self {
        Self { body: body.as_ref().to_vec(), end: End::Close, ..self }
    }

    /// Ends the connection after so many bytes of the body.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self.end = End::Close;
        self
    }

    /// Sends nothing more after so many bytes of the body.
    pub(crate) fn hang(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self.end = End::Hang;
        self
    }

    pub(crate) fn repeat(mut self, what: impl Into<Vec<u8>>, pause: Duration) -> Self {
        self.end = End::Repeat(what.into(), pause);
        self
    }

    pub(crate) fn challenge(text: impl fmt::Display) -> Self {
        let body = r#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
        Self::status(401).header("WWW-Authenticate", text).body(body)
    }

    pub(crate) fn to(status: u16, location: impl fmt::Display) -> Self {
        Self::status(status).header("Location", location).body("")
    }
}

type Handler = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server of this process.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    /// In PEM, if it speaks TLS.
    pub(crate) certificate: Option<String>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fake {
    pub(crate) async fn plain(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(answer)).await
    }

    /// With a certificate for these names.
    pub(crate) async fn tls(names: &[&str], answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Self::start(Some(rcgen::generate_simple_self_signed(names).unwrap()), Arc::new(answer)).await
    }

    async fn start(certified: Option<rcgen::CertifiedKey<rcgen::KeyPair>>, answer: Arc<Handler>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let acceptor = certified.as_ref().map(acceptor);
        let connections = Arc::<AtomicUsize>::default();
        let (all, count) = (seen.clone(), connections.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let (acceptor, seen, answer) = (acceptor.clone(), all.clone(), answer.clone());
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &seen, &*answer).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &seen, &*answer).await;
                            }
                        }
                    }
                });
            }
        });
        let certificate = certified.map(|certified| certified.cert.pem());
        Self { address, seen, connections, certificate, task }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests whose path contains this.
    pub(crate) fn asked(&self, part: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.target.contains(part)).collect()
    }
}

fn acceptor(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certified.cert.der().clone()], key);
    TlsAcceptor::from(Arc::new(config.unwrap()))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, seen: &Mutex<Vec<Seen>>, answer: &Handler) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request.clone());
        let reply = answer(&request);
        let bytes = match reply.head.strip_prefix('\0') {
            Some(raw) => raw.as_bytes().to_vec(),
            None => {
                let body = if request.method == "HEAD" { &[][..] } else { &reply.body[..] };
                [reply.head.as_bytes(), b"\r\n", body].concat()
            }
        };
        if stream.write_all(&bytes).await.is_err() {
            return;
        }
        let _ = stream.flush().await;
        match reply.end {
            End::Stay => {}
            End::Close => {
                let _ = stream.shutdown().await;
                return;
            }
            // Until the client goes away.
            End::Hang => {
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            End::Repeat(what, pause) => {
                while stream.write_all(&what).await.is_ok() && stream.flush().await.is_ok() {
                    tokio::time::sleep(pause).await;
                }
                return;
            }
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Seen> {
    let head = read_head(stream).await?;
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { method, target, headers, body: String::from_utf8(body).unwrap() })
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await.ok()?;
        // What is no text is no HTTP: somebody speaks TLS.
        if !byte.is_ascii() || (head.is_empty() && !byte.is_ascii_uppercase()) {
            return None;
        }
        head.push(byte);
    }
    String::from_utf8(head).ok()
}

/// A proxy that knows where the hosts of a test are.
pub(crate) struct FakeProxy {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for FakeProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeProxy {
    /// Leads `host:port` to a server; lets in who shows this, if something is to be shown.
    pub(crate) async fn new(hosts: &[(&str, SocketAddr)], authorization: Option<&str>) -> Self {
        let hosts: HashMap<String, SocketAddr> = hosts.iter().map(|(host, to)| ((*host).to_owned(), *to)).collect();
        let authorization = authorization.map(str::to_owned);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let all = seen.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(lead(stream, hosts.clone(), authorization.clone(), all.clone()));
            }
        });
        Self { address, seen, task }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn lead(
    mut stream: TcpStream,
    hosts: HashMap<String, SocketAddr>,
    authorization: Option<String>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request.clone());
    if authorization.is_some() && authorization.as_deref() != request.header("proxy-authorization") {
        let _ = stream.write_all(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").await;
        return;
    }
    let host = match request.target.strip_prefix("http://") {
        Some(rest) => rest.split('/').next().unwrap().to_owned(),
        None => request.target.clone(),
    };
    let Some(address) = hosts.get(&host) else {
        let _ = stream.write_all(b"HTTP/1.1 502 Nowhere\r\nContent-Length: 0\r\n\r\n").await;
        return;
    };
    let mut there = TcpStream::connect(address).await.unwrap();
    if request.method == "CONNECT" {
        let _ = stream.write_all(b"HTTP/1.1 200 Go\r\n\r\n").await;
    } else {
        let path = request.target.split_once(&host).unwrap().1;
        let authorization = request.header("authorization").map(|it| format!("Authorization: {it}\r\n"));
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{}\r\n", authorization.unwrap_or_default());
        let _ = there.write_all(head.as_bytes()).await;
    }
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
}
