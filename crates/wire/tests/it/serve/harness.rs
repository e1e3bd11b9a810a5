//! A running server, requests for it, and a client that is as plain as a socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::request::Parts;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::serve::raw::Routes;
use wire::serve::{ServeLimits, Server, Tls, serve};
use wire::sigv4::{SignableBody, Signer};

use super::backend::{KEY, NOW, Shared, Things, credentials};

/// When a test is given up.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a test, and ends it when it hangs.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, test).await.expect("the test hangs") });
}

/// Service, operation and status of each request that the observer was told of.
type Observed = Vec<(&'static str, &'static str, u16)>;

/// The server under test.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) things: Arc<Things>,
    pub(crate) observed: Arc<Mutex<Observed>>,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) ended: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(limits: ServeLimits) -> Self {
        Self::start_with(limits, Tls::Off, None).await
    }

    /// One with routes beside the API.
    pub(crate) async fn start_with(limits: ServeLimits, tls: Tls, routes: Option<Arc<dyn Routes>>) -> Self {
        let things = Things::new();
        let observed = Arc::new(Mutex::new(Observed::new()));
        let observer = {
            let observed = observed.clone();
            Arc::new(move |outcome: &wire::serve::Outcome| {
                observed.lock().unwrap().push((outcome.service, outcome.operation, outcome.status));
            })
        };
        let internal = Arc::new(|parts: &Parts| {
            (parts.uri.path() == "/health").then(|| http::Response::new("well\n".to_owned().into()))
        });
        let mut server = Server::new(Arc::new(Shared(things.clone())), limits, internal, observer);
        if let Some(routes) = routes {
            server = server.with_routes(routes);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let ended = tokio::spawn(serve(Arc::new(server), listener, tls, async {
            let _ = stopped.await;
        }));
        Self { address, things, observed, stop: Some(stop), ended }
    }

    /// Tells it to stop.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().expect("it is stopped once").send(());
    }

    pub(crate) async fn connect(&self) -> Client {
        Client::of(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, request: &Request) -> Answer {
        self.connect().await.send(request).await
    }
}

/// A request under way to being signed.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) parts: Parts,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// An unsigned request of awsJson.
    pub(crate) fn json(operation: &str, body: &str) -> Self {
        let request = http::Request::post("/")
            .header("host", "things.example:4566")
            .header("x-amz-target", format!("Things_2020.{operation}"))
            .header("content-type", "application/x-amz-json-1.1");
        Self { parts: request.body(()).unwrap().into_parts().0, body: body.into() }
    }

    /// An unsigned request of awsQuery.
    pub(crate) fn form(form: &str) -> Self {
        let request = http::Request::post("/")
            .header("host", "forms.example:4566")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        Self { parts: request.body(()).unwrap().into_parts().0, body: form.into() }
    }

    /// An unsigned request of RPC v2 CBOR.
    pub(crate) fn cbor(operation: &str, body: Vec<u8>) -> Self {
        let request = http::Request::post(format!("/service/Meters_2010/operation/{operation}"))
            .header("host", "meters.example:4566")
            .header("smithy-protocol", "rpc-v2-cbor")
            .header("accept", "application/cbor")
            .header("content-type", "application/cbor");
        Self { parts: request.body(()).unwrap().into_parts().0, body }
    }

    /// An unsigned request without a body.
    pub(crate) fn bare(method: &str, target: &str) -> Self {
        let request = http::Request::builder().method(method).uri(target).header("host", "forms.example:4566");
        Self { parts: request.body(()).unwrap().into_parts().0, body: Vec::new() }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.parts.headers.insert(name, value.parse().unwrap());
        self
    }

    /// Signed for the service by the key that may.
    pub(crate) fn signed(self, service: &str) -> Self {
        self.signed_by(&signer(service, &credentials(KEY, None)))
    }

    pub(crate) fn signed_by(mut self, signer: &Signer<'_>) -> Self {
        signer.sign(&mut self.parts, SignableBody::Bytes(&self.body)).unwrap();
        self
    }

    pub(crate) fn presigned(mut self, service: &str) -> Self {
        let credentials = credentials(KEY, None);
        let signer = signer(service, &credentials);
        signer.presign(&mut self.parts, Duration::from_secs(60), SignableBody::Bytes(&self.body)).unwrap();
        self
    }

    /// The head as it goes over the socket, with the framing header given.
    pub(crate) fn head(&self, framing: &str) -> Vec<u8> {
        let target = self.parts.uri.path_and_query().unwrap();
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.parts.method).into_bytes();
        for (name, value) in &self.parts.headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(framing.as_bytes());
        head.extend_from_slice(b"\r\n\r\n");
        head
    }

    /// Head and body.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(&format!("content-length: {}", self.body.len()));
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Signs for `service` in eu-north-1, now.
pub(crate) fn signer<'a>(service: &'a str, credentials: &'a wire::sigv4::Credentials) -> Signer<'a> {
    Signer { credentials, region: "eu-north-1", service, at: NOW }
}

/// An answer as it came over the socket.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
    /// The body as it came.
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The error's code, in either protocol.
    pub(crate) fn code(&self) -> String {
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(&self.body) {
            return json["__type"].as_str().unwrap_or_default().to_owned();
        }
        self.element("Code")
    }

    /// The error's message, in either protocol.
    pub(crate) fn message(&self) -> String {
        if let Ok(json) = serde_json::from_str::<serde_json::Value>(&self.body) {
            return json["message"].as_str().or(json["Message"].as_str()).unwrap_or_default().to_owned();
        }
        self.element("Message")
    }

    /// The text of the first element of this name.
    pub(crate) fn element(&self, name: &str) -> String {
        let after = self.body.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
        after.split_once(&format!("</{name}>")).map_or("", |(text, _)| text).to_owned()
    }
}

/// A connection, read by hand.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) fn of(stream: TcpStream) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(crate) async fn send(&mut self, request: &Request) -> Answer {
        self.write(&request.bytes()).await;
        self.answer_to(&request.parts.method).await
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.answer_to(&http::Method::POST).await
    }

    pub(crate) async fn answer_to(&mut self, method: &http::Method) -> Answer {
        let end = loop {
            match self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break end,
                None => assert!(self.more().await, "the connection ended before an answer: {:?}", self.text()),
            }
        };
        let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = http::HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            // It is for the test to read on.
            return Answer { status, headers, body: String::new(), bytes: Vec::new() };
        }
        let length = headers.get("content-length").map_or(0, |value| value.to_str().unwrap().parse().unwrap());
        let length = if method == http::Method::HEAD { 0 } else { length };
        while self.read.len() < length {
            assert!(self.more().await, "the connection ended within an answer");
        }
        let bytes: Vec<u8> = self.read.drain(..length).collect();
        Answer { status, headers, body: String::from_utf8_lossy(&bytes).into_owned(), bytes }
    }

    /// The next chunk of a body that comes in chunks; empty at its end.
    pub(crate) async fn chunk(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let length = usize::from_str_radix(std::str::from_utf8(&self.read[..end]).unwrap(), 16).unwrap();
                if self.read.len() >= end + 2 + length + 2 {
                    let chunk = self.read[end + 2..end + 2 + length].to_vec();
                    self.read.drain(..end + 2 + length + 2);
                    return chunk;
                }
            }
            assert!(self.more().await, "the connection ended within a body");
        }
    }

    /// Waits until the server ends the connection; whatever it says before is given back.
    pub(crate) async fn ended(&mut self) -> String {
        while self.more().await {}
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    /// Whether more has come. A reset counts as an end.
    async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.read).await, Ok(count) if count > 0)
    }
}
