//! A service with the ways of S3 over real sockets: a store that keeps what it could read to its end, and nothing else.

mod attacks;
mod flows;
mod forms;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base::Timestamp;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use wire::content::{FileRange, Pieces};
use wire::model::ServiceModel;
use wire::serve::{
    Backend, BoxFuture, Call, CredentialError, CrossOrigin, CrossOriginHeaders, FoundCredential, Input, ServeLimits,
    Server, Tls, serve,
};
use wire::sigv4::{ChunkChain, CredentialScope, SecretAccessKey, SignableBody, SigningKey, StreamingKind};
use wire::value::Shaped;
use wire::{Content, Error, EventStream, Reply};

use super::backend::{KEY, NOW, SECRET, credentials};
use super::harness::{Answer, Client, Request, signer};
use crate::fixture::bound::{Chunk, Done, GetThing, GotThing, Invoked, PutThing, Streamed};
use crate::fixture::{JSON, QUERY, REST_JSON, S3};

static SERVICES: [&ServiceModel; 4] = [&JSON, &QUERY, &REST_JSON, &S3];

/// An object, and what came behind it.
#[derive(Debug, Clone, PartialEq)]
struct Object {
    bytes: Vec<u8>,
    metadata: BTreeMap<String, String>,
    encoding: Option<String>,
    declared_length: Option<u64>,
    trailers: BTreeMap<String, String>,
    caller: String,
}

/// What is stored, by bucket and key.
#[derive(Default)]
struct Objects {
    kept: Mutex<BTreeMap<(String, String), Object>>,
    requests: AtomicUsize,
}

impl Objects {
    fn get(&self, bucket: &str, key: &str) -> Option<Object> {
        self.kept.lock().unwrap().get(&(bucket.to_owned(), key.to_owned())).cloned()
    }

    fn is_empty(&self) -> bool {
        self.kept.lock().unwrap().is_empty()
    }

    async fn put(&self, put: PutThing, caller: String) -> Result<Reply, Error> {
        let mut reader = put.body.unwrap_or_default().into_reader();
        let (declared_length, mut bytes) = (reader.declared_length(), Vec::new());
        while let Some(piece) = reader.next().await? {
            bytes.extend_from_slice(&piece);
        }
        let (metadata, encoding) = (put.metadata.unwrap_or_default(), put.content_encoding);
        let object = Object { bytes, metadata, encoding, declared_length, trailers: reader.trailers().clone(), caller };
        self.kept.lock().unwrap().insert((put.bucket, put.key), object);
        Ok(Reply::of(GotThing { content_type: Some("kept/whole".to_owned()), ..GotThing::default() }))
    }

    fn read(&self, get: &GetThing, is_head: bool) -> Result<Reply, Error> {
        let not_found =
            || Error::new("NoSuchKey", 404, "The specified key does not exist.").with("Key", get.key.as_str());
        let object = self.get(&get.bucket, &get.key).ok_or_else(not_found)?;
        let length = i64::try_from(object.bytes.len()).unwrap();
        let content = match get.version_id.as_deref() {
            Some("files") => in_files(&object.bytes),
            Some("pieces") => {
                Content::pieces(None, Halves(object.bytes.chunks(3).map(Bytes::copy_from_slice).collect()))
            }
            Some("short") => Content::pieces(Some(99), Halves(vec![object.bytes.into()])),
            _ => Content::bytes(object.bytes),
        };
        Ok(Reply::of(GotThing {
            body: (!is_head).then_some(content),
            content_length: Some(length),
            content_range: get.range.clone(),
            metadata: Some(object.metadata),
            ..GotThing::default()
        }))
    }

    async fn handle(self: Arc<Self>, call: Call<String>) -> Result<Reply, Error> {
        let model = SERVICES[call.service];
        let input = call.decode(model)?;
        assert!(matches!(call.input, Input::Request(_)));
        match model.operation_name(call.operation) {
            "PutThing" => self.put(PutThing::from_value(input).unwrap(), call.caller).await,
            "GetThing" => self.read(&GetThing::from_value(input).unwrap(), false),
            "HeadThing" => self.read(&GetThing::from_value(input).unwrap(), true),
            "StreamThing" => Ok(Reply::Stream {
                initial: Invoked { error: Some("none".to_owned()), payload: None, status: None }.into_value(),
                events: EventStream::produce(|events| async move {
                    for event in
                        [Streamed::Chunk(Chunk { payload: Some(b"raw".to_vec()) }), Streamed::Done(Done::default())]
                    {
                        events.send(event).await.unwrap();
                    }
                })
                .into(),
            }),
            _ => Ok(Reply::nothing()),
        }
    }
}

/// Pieces in memory.
struct Halves(Vec<Bytes>);

impl Pieces for Halves {
    fn next(&mut self) -> BoxFuture<'_, std::io::Result<Option<Bytes>>> {
        let next = (!self.0.is_empty()).then(|| self.0.remove(0));
        Box::pin(async move { Ok(next) })
    }
}

/// The bytes in three files, of which the second has others around them.
fn in_files(bytes: &[u8]) -> Content {
    let file = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    };
    let (one, rest) = bytes.split_at(bytes.len() / 3);
    let (two, three) = rest.split_at(rest.len() / 2);
    let amid = file(&[b"before", two, b"behind"].concat());
    Content::files(vec![
        FileRange { file: file(one), range: 0..one.len() as u64 },
        FileRange { file: amid, range: 6..6 + two.len() as u64 },
        FileRange { file: file(three), range: 0..three.len() as u64 },
    ])
}

struct Shared(Arc<Objects>, Vec<String>);

impl Backend for Shared {
    type Caller = String;

    fn services(&self) -> &[&'static ServiceModel] {
        &SERVICES
    }

    fn now(&self) -> Timestamp {
        NOW
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.0.requests.fetch_add(1, Ordering::SeqCst))
    }

    fn public_hosts(&self) -> &[String] {
        &self.1
    }

    fn cross_origin<'a>(&'a self, asked: CrossOrigin<'a>) -> BoxFuture<'a, Result<CrossOriginHeaders, Error>> {
        let origin = asked.origin.to_owned();
        let answer = match (asked.path.starts_with("/shared/"), asked.is_preflight) {
            (true, true) if asked.method == "DELETE" => {
                Err(Error::new("AccessForbidden", 403, "CORSResponse: This CORS request is not allowed."))
            }
            (true, _) => Ok(vec![("access-control-allow-origin", origin), ("vary", "Origin".to_owned())]),
            (false, _) => Ok(Vec::new()),
        };
        Box::pin(std::future::ready(answer))
    }

    fn credential<'a>(
        &'a self,
        access_key_id: &'a str,
        _session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FoundCredential<String>, CredentialError>> {
        let found = match access_key_id {
            KEY => Ok(FoundCredential { secret: SecretAccessKey::new(SECRET), caller: KEY.to_owned() }),
            _ => Err(CredentialError::Unknown),
        };
        Box::pin(std::future::ready(found))
    }

    fn anonymous(&self) -> Option<String> {
        Some("nobody".to_owned())
    }

    fn call(&self, call: Call<String>) -> BoxFuture<'_, Result<Reply, Error>> {
        Box::pin(self.0.clone().handle(call))
    }
}

/// The server under test.
struct Running {
    address: std::net::SocketAddr,
    objects: Arc<Objects>,
}

impl Running {
    async fn start() -> Self {
        let objects = Arc::new(Objects::default());
        let backend = Arc::new(Shared(objects.clone(), vec!["cloud.example".to_owned()]));
        let server = Server::new(backend, ServeLimits::default(), Arc::new(|_| None), Arc::new(|_| {}));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(Arc::new(server), listener, Tls::Off, std::future::pending()));
        Self { address, objects }
    }

    async fn connect(&self) -> Client {
        Client::of(TcpStream::connect(self.address).await.unwrap())
    }

    async fn send(&self, request: &Request) -> Answer {
        self.connect().await.send(request).await
    }
}

/// An unsigned request, path style.
fn request(method: &str, target: &str, body: &[u8]) -> Request {
    request_to("s3.localhost:4566", method, target, body)
}

fn request_to(host: &str, method: &str, target: &str, body: &[u8]) -> Request {
    let request = http::Request::builder().method(method).uri(target).header("host", host);
    Request { parts: request.body(()).unwrap().into_parts().0, body: body.to_vec() }
}

/// Signed with `body` said to be so.
fn signed_as(mut request: Request, body: SignableBody<'_>) -> Request {
    signer("s3", &credentials(KEY, None)).sign(&mut request.parts, body).unwrap();
    request
}

/// The chain that begins with a request's signature.
fn chain(request: &Request) -> ChunkChain {
    let authorization = request.parts.headers["authorization"].to_str().unwrap();
    let signature = authorization.rsplit_once("Signature=").unwrap().1.to_owned();
    let scope = CredentialScope::new(NOW, "eu-north-1", "s3");
    ChunkChain::new(Arc::new(SigningKey::derive(&SecretAccessKey::new(SECRET), &scope)), &scope, NOW, signature)
}

/// A PUT whose body comes in chunks of 8 KiB, the last one followed by `trailer`, a name and a value.
fn chunked(kind: StreamingKind, target: &str, bytes: &[u8], trailer: Option<(&str, &str)>) -> Request {
    let mut request = request("PUT", target, b"")
        .header("content-encoding", "aws-chunked,gzip")
        .header("x-amz-decoded-content-length", &bytes.len().to_string());
    if let Some((name, _)) = trailer {
        request = request.header("x-amz-trailer", name);
    }
    let mut request = signed_as(request, SignableBody::Streaming(kind));
    let mut chain = (kind != StreamingKind::UnsignedTrailer).then(|| chain(&request));
    let mut body = Vec::new();
    for piece in bytes.chunks(8192).chain([&[][..]]) {
        let signature = chain.as_mut().map(|chain| chain.chunk(Sha256::digest(piece).into()).to_owned());
        let extension = signature.map(|signature| format!(";chunk-signature={signature}")).unwrap_or_default();
        body.extend_from_slice(format!("{:x}{extension}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(if piece.is_empty() { b"" } else { b"\r\n" });
    }
    if let Some((name, value)) = trailer {
        body.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
        if let Some(chain) = &mut chain {
            let signature = chain.trailer(&format!("{name}:{value}\n")).to_owned();
            body.extend_from_slice(format!("x-amz-trailer-signature:{signature}\r\n").as_bytes());
        }
    }
    body.extend_from_slice(b"\r\n");
    request.body = body;
    request
}
