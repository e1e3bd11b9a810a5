//! The HTTP server: one port, every service.
//!
//! A request goes one way through it: head → [`route`] (which service and operation, in which protocol) → signature parsed
//! and its time and scope checked → key looked up → body read → signature verified → [`Backend::call`] → answer written.
//! A body is not read before its sender is known to name a key, and where its hash is declared in the head, not before the
//! signature is verified. What nobody has signed is read up to 64 KiB, and refused unread where it says that it is larger.
//!
//! What is signed for a service whose operations are bound to HTTP is routed by method, path and query instead, once its
//! signature is verified, and a body that streams is handed to its operation unread: [`crate::rest`], [`crate::Content`].
//!
//! Beside the API there may be [`raw::Routes`], whose requests and answers stream: head → [`raw::Routes::takes`] →
//! [`raw::Routes::answer`], which verifies for itself who asks.

mod activity;
mod answer;
mod below;
mod body;
mod connection;
mod file;
pub(crate) mod incoming;
mod inflate;
mod link;
mod log_text;
mod opening;
mod outgoing;
pub mod raw;
mod request;
mod room;
pub mod route;
mod routed;
mod socket;
mod stream;
mod streams;
mod window;

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base::{Region, Timestamp};
use bytes::Bytes;
use http::request::Parts;
use http_body_util::Full;
use tokio::sync::watch;

use crate::error::Error;
use crate::model::{Protocol, ServiceModel};
use crate::reply::Reply;
use crate::rest;
use crate::sigv4::{SecretAccessKey, Signing, SigningKeyCache};
use crate::value::Value;

pub use below::Below;
pub use body::{BodyError, RequestBody};
pub use connection::{Tls, serve, serve_stream};

use raw::Routes;
use room::Room;
use streams::Streams;

/// A boxed future.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An answer.
pub type Response = http::Response<Full<Bytes>>;

/// What the server needs of those behind it.
pub trait Backend: Send + Sync + 'static {
    /// Whoever a key belongs to; the wire hands it on unread.
    type Caller: Send + 'static;

    /// The services, by the numbers that [`Call::service`] uses.
    fn services(&self) -> &[&'static ServiceModel];
    /// The present.
    fn now(&self) -> Timestamp;
    /// A fresh request id.
    fn request_id(&self) -> String;
    /// The secret and the owner of a key.
    fn credential<'a>(
        &'a self,
        access_key_id: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FoundCredential<Self::Caller>, CredentialError>>;
    /// Whether connections are encrypted, for addresses that are handed out.
    fn is_secure(&self) -> bool {
        false
    }
    /// The names by which clients reach the server, without ports: a host below one of them may name a bucket.
    fn public_hosts(&self) -> &[String] {
        &[]
    }
    /// Who asks for an operation that needs no signature, when there is none. Nobody: every request has to be signed.
    fn anonymous(&self) -> Option<Self::Caller> {
        None
    }
    /// What a page of another origin may do, as headers of the answer; none where nothing is allowed.
    ///
    /// # Errors
    /// Why a page that has asked before may not do what it wants to.
    fn cross_origin<'a>(&'a self, _asked: CrossOrigin<'a>) -> BoxFuture<'a, Result<CrossOriginHeaders, Error>> {
        Box::pin(std::future::ready(Ok(CrossOriginHeaders::new())))
    }
    /// Authorises, decodes and handles a verified request.
    fn call(&self, call: Call<Self::Caller>) -> BoxFuture<'_, Result<Reply, Error>>;
}

/// A key that may sign.
#[derive(Debug)]
pub struct FoundCredential<C> {
    /// Its secret.
    pub secret: SecretAccessKey,
    /// Its owner.
    pub caller: C,
}

/// Why a key may not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nobody knows it, or it is switched off.
    #[error("the access key is unknown or inactive")]
    Unknown,
    /// The session token is not one that was given out with this key.
    #[error("the session token does not belong to the access key")]
    InvalidToken,
    /// The session is over.
    #[error("the session token has expired")]
    ExpiredToken,
    /// It could not be looked up.
    #[error("the access key could not be looked up")]
    Unavailable,
}

/// A verified request.
#[derive(Debug)]
pub struct Call<C> {
    /// The service's number in [`Backend::services`].
    pub service: usize,
    /// The operation's number in its model.
    pub operation: usize,
    /// The protocol that the client speaks.
    pub protocol: Protocol,
    /// Who signed.
    pub caller: C,
    /// The region of the signature's scope.
    pub region: Region,
    /// The request's id.
    pub request_id: String,
    /// When it came in.
    pub now: Timestamp,
    /// The `Host` header.
    pub host: String,
    /// Where the connection comes from.
    pub source_ip: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The page that the client says it comes from: the `Referer` header.
    pub referer: Option<String>,
    /// Whether it came as a browser's form.
    pub is_form: bool,
    /// In which way it was signed, where policies may depend on it.
    pub signing: Option<Signing>,
    /// What is asked.
    pub input: Input,
}

/// The headers of an answer that allow something to a page: names in small letters.
pub type CrossOriginHeaders = Vec<(&'static str, String)>;

/// A request of a page of another origin, to a service whose operations are bound to HTTP.
#[derive(Debug, Clone, Copy)]
pub struct CrossOrigin<'a> {
    /// The service's number in [`Backend::services`].
    pub service: usize,
    /// The path that is asked for, with the bucket in front where the host named it, as it was sent.
    pub path: &'a str,
    /// The page's origin.
    pub origin: &'a str,
    /// The method that it uses, or wants to.
    pub method: &'a str,
    /// The headers that it wants to send, separated by commas, if it asks before.
    pub headers: Option<&'a str>,
    /// Whether it asks before (`OPTIONS`). Nobody knows then who will.
    pub is_preflight: bool,
}

/// What a request asks of its operation, as it came in.
#[derive(Debug)]
pub enum Input {
    /// A body that says all; in awsQuery the form, query string included.
    Body(Bytes),
    /// The whole request, in the protocols that bind members to HTTP.
    Request(Box<rest::Request>),
}

impl<C> Call<C> {
    /// Reads the operation's input and checks the model's constraints on it.
    ///
    /// # Errors
    /// What the client is told.
    pub fn decode(&self, model: &ServiceModel) -> Result<Value, Error> {
        match &self.input {
            Input::Body(body) => self.protocol.decode(model, self.operation, body),
            Input::Request(request) => rest::decode(self.protocol, model, self.operation, request),
        }
    }
}

/// What became of a request; for logs and metrics.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    /// The service, or the empty string when none was recognised.
    pub service: &'static str,
    /// The operation, or the empty string.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// From the head's arrival to the answer.
    pub duration: Duration,
}

/// Bounds on what one client can make the server hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeLimits {
    /// Connections at once; further ones wait in the listen queue. As many requests of HTTP/2 are answered at once beside the
    /// first of each connection; further ones are refused.
    pub connections_max: usize,
    /// The largest request head, in bytes.
    pub head_bytes_max: usize,
    /// The largest request body, in bytes, but for operations whose own limit is larger
    /// ([`crate::model::Operation::body_bytes_max`]) and for [`raw::Routes`].
    pub body_bytes_max: usize,
    /// What the bodies of all requests together may take of memory, in bytes, beside the first 64 KiB of each.
    pub bodies_bytes_max: usize,
    /// What all answers that wait for their clients may take of memory, in bytes, beside the first 64 KiB of each. The
    /// largest single answer must fit.
    pub answers_bytes_max: usize,
    /// How long a connection may take to send a request's head, how long it may idle between requests, and how long it may
    /// take to read an answer or a part of a stream. A stream that waits for its next event does not idle.
    pub head_timeout: Duration,
    /// The longest pause between two pieces of a request's body, and how much longer it may take than 16 KiB a second would.
    pub body_timeout: Duration,
    /// How long open requests may go on once the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head_bytes_max: 64 * 1024,
            body_bytes_max: 6 * 1024 * 1024,
            bodies_bytes_max: 256 * 1024 * 1024,
            answers_bytes_max: 256 * 1024 * 1024,
            head_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(4),
        }
    }
}

/// Answers requests that are not of the AWS API (health, metrics); `None` lets a request through to it.
pub type Internal = Arc<dyn Fn(&Parts) -> Option<Response> + Send + Sync>;
/// Is told what became of each request.
pub type Observer = Arc<dyn Fn(&Outcome) + Send + Sync>;

/// The AWS API on a backend.
pub struct Server<B> {
    backend: Arc<B>,
    limits: ServeLimits,
    keys: SigningKeyCache,
    bodies: Room,
    answers: Room,
    streams: Streams,
    /// Whether the server stops; streams of events end then.
    stopping: watch::Sender<bool>,
    internal: Internal,
    observer: Observer,
    routes: Vec<Arc<dyn Routes>>,
}

impl<B: Backend> Server<B> {
    /// A server of `backend`.
    pub fn new(backend: Arc<B>, limits: ServeLimits, internal: Internal, observer: Observer) -> Self {
        // Room for at least one body, however large a single one may be.
        let operations = backend.services().iter().flat_map(|model| model.operations);
        let largest = operations.filter_map(|operation| operation.body_bytes_max).max().unwrap_or_default();
        let bodies = Room::new(limits.bodies_bytes_max.max(limits.body_bytes_max).max(largest));
        let answers = Room::new(limits.answers_bytes_max);
        let streams = Streams::new(limits.connections_max);
        let (keys, stopping) = (SigningKeyCache::new(), watch::Sender::new(false));
        Self { backend, limits, keys, bodies, answers, streams, stopping, internal, observer, routes: Vec::new() }
    }

    /// Hands the requests that `routes` takes to them instead of to the API; of several, to the first that takes one.
    #[must_use]
    pub fn with_routes(mut self, routes: Arc<dyn Routes>) -> Self {
        self.routes.push(routes);
        self
    }
}
