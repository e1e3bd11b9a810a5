//! One request, from its head to its answer.

mod bound;
mod cross_origin;
mod form;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base::{Region, Timestamp};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};

use self::form::FormAnswer;
use super::answer::AnswerBody;
use super::body::{self, Arriving, Rest};
use super::inflate::{GZIP, inflate};
use super::link::Link;
use super::log_text::LogText;
use super::raw::Routes;
use super::room::Place;
use super::route::{Dialect, Target, is_form};
use super::stream::Pump;
use super::streams::Stream;
use super::{Backend, Call, CredentialError, CrossOriginHeaders, FoundCredential, Input, Outcome, Server};
use crate::error::Error;
use crate::eventstream::Events;
use crate::model::ServiceModel;
use crate::protocol::Encoded;
use crate::reply::Reply;
use crate::rest;
use crate::sigv4::{self, AuthError, ErrorFamily, ParsedSignature, PayloadHash, Signing};

/// The largest body of a request that nobody has signed, but for one that streams into an object: a token of an identity
/// provider (20,000 characters), a session policy and tags, as a form writes them; a document of S3. It is what each body
/// may have without asking for room, so that nobody without a key has any of it.
const UNSIGNED_BODY_BYTES_MAX: usize = super::room::BYTES_FREE;

impl<B: Backend> Server<B> {
    /// Answers one request. Never fails: whatever goes wrong is an answer.
    pub(super) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        source_ip: Option<IpAddr>,
        link: Arc<Link>,
        stream: Option<Stream>,
    ) -> http::Response<AnswerBody> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let is_buckets = rest::host::is_buckets(&parts, self.backend.public_hosts());
        if !is_buckets && let Some(response) = (self.internal)(&parts) {
            return response.map(|full| AnswerBody::new(whole(full), Place::default()));
        }
        link.set_unread(false);
        let takes =
            |routes: &&Arc<dyn Routes>| (!is_buckets || routes.are_at_hosts_of_buckets()) && routes.takes(&parts);
        if let Some(routes) = self.routes.iter().find(takes).cloned() {
            return self.answer_routed(routes, Request::from_parts(parts, body), source_ip, link, stream).await;
        }
        let has_body = !body.is_end_stream();
        let mut exchange = Exchange {
            dialect: Dialect::of(&parts, self.backend.services(), is_buckets),
            request_id: self.backend.request_id(),
            now: self.backend.now(),
            source_ip,
            owner: None,
            target: None,
            is_body_read: false,
            rest: None,
            resource: parts.uri.path().to_owned(),
            shared: CrossOriginHeaders::new(),
            is_preflight: false,
            form: None,
            signing: None,
            asked: Asked {
                is_head: parts.method == Method::HEAD,
                is_http_1: parts.version <= Version::HTTP_11,
                expects_continue: parts.headers.contains_key(EXPECT),
            },
            stream,
            parts,
        };
        let arriving = Arriving::new(body, exchange.asked.is_http_1);
        let mut outcome = exchange.run(&self, arriving).await;
        exchange.share(&self).await;
        let asked = exchange.asked;
        let is_bound = exchange.rest.is_some();
        let leaves_connection = match exchange.rest.take() {
            Some(rest) => rest.leaves_connection(asked.is_http_1, asked.expects_continue),
            None => !has_body || exchange.is_body_read,
        };
        link.set_unread(!leaves_connection && asked.is_http_1);
        let mut encoded = exchange.encode(&outcome);
        let mut place = Place::default();
        if let Err(no_room) = self.answers.grow(&mut place, encoded.body.len()) {
            outcome = Err(no_room);
            encoded = exchange.encode(&outcome);
        }
        exchange.report(&self, &outcome, encoded.status, started);
        let is_unusable = is_bound && !leaves_connection
            || outcome.as_ref().is_err_and(|error| matches!(error.status, 408 | 413 | 503));
        let bytes = std::mem::take(&mut encoded.body);
        let body = match (outcome, encoded.content.take()) {
            _ if asked.is_head => AnswerBody::new(Bytes::new(), Place::default()),
            (Ok(Reply::Stream { events, .. }), _) => exchange.stream(&self, bytes, events, link),
            (_, Some(content)) => AnswerBody::content(content, asked.is_http_1, link),
            (Ok(Reply::Value(_)) | Err(_), None) => AnswerBody::new(bytes.into(), place),
        };
        exchange.respond(&encoded, body, is_unusable && asked.is_http_1)
    }
}

/// What of a request's head bears on its answer.
#[derive(Clone, Copy)]
struct Asked {
    is_head: bool,
    is_http_1: bool,
    expects_continue: bool,
}

/// What is known of a request so far.
struct Exchange {
    parts: Parts,
    asked: Asked,
    dialect: Dialect,
    request_id: String,
    now: Timestamp,
    source_ip: Option<IpAddr>,
    /// The service, as long as the answer seems to be one that the service gives itself.
    owner: Option<&'static ServiceModel>,
    target: Option<(&'static ServiceModel, Target)>,
    /// Whether the body has been read to its end and accepted.
    is_body_read: bool,
    /// What is left of a body that an operation reads, or whoever has read it for the operation.
    rest: Option<Rest>,
    /// The path that is asked for, with its bucket.
    resource: String,
    /// What a page of another origin may make of the answer.
    shared: CrossOriginHeaders,
    /// Whether a page asks what it may do, and does nothing.
    is_preflight: bool,
    /// How a form is to be answered.
    form: Option<FormAnswer>,
    /// In which way it is signed, of a service whose policies may depend on it.
    signing: Option<Signing>,
    /// The place of a request of HTTP/2, which its handler keeps to its end.
    stream: Option<Stream>,
}

/// A signature, and what it has to have been made with.
struct Keyed<'a> {
    signature: &'a ParsedSignature,
    secret: &'a sigv4::SecretAccessKey,
    service: &'a str,
}

impl Exchange {
    async fn run<B: Backend>(&mut self, server: &Arc<Server<B>>, body: Arriving) -> Result<Reply, Error> {
        let bound = match self.dialect {
            Dialect::Rest { service, .. } => Some(service),
            _ => None,
        };
        if let Some(service) = bound {
            self.owner = Some(server.backend.services()[service]);
            self.find_path(server, server.backend.services()[service])?;
        }
        if let (Some(service), &Method::OPTIONS) = (bound, &self.parts.method) {
            return self.run_preflight(server, service).await;
        }
        let signature = match sigv4::parse(&self.parts) {
            Ok(signature) => signature,
            Err(AuthError::MissingAuthenticationToken) if self.may_be_unsigned() => {
                return self.run_unsigned(server, body).await;
            }
            Err(AuthError::MissingAuthenticationToken) if bound.is_some() => {
                let service = bound.unwrap_or_default();
                return match self.is_form_upload() {
                    true => self.run_form(server, service, body).await,
                    false => self.run_bound_unsigned(server, service, body).await,
                };
            }
            Err(error) => return Err(self.refused(&error)),
        };
        if let Some(service) = bound {
            return self.run_bound(server, &signature, service, body).await;
        }
        let services = server.backend.services();
        let scope = signature.scope();
        let service = self.dialect.service(services, &scope.service);
        let expected: Cow<'_, str> = match &service {
            Ok(service) => {
                self.owner = Some(services[*service]);
                services[*service].signing_name.into()
            }
            Err(_) => scope.service.clone().into(),
        };
        signature.check(self.now, &expected).map_err(|error| self.refused(&error))?;
        let found = self.credential(server, &signature).await?;
        let model = service.as_ref().ok().map(|service| services[*service]);
        let body_bytes_max = server.limits.body_bytes_max;
        let body_bytes_max = model.map_or(body_bytes_max, |model| self.dialect.body_bytes_max(model, body_bytes_max));
        let keyed = Keyed { signature: &signature, secret: &found.secret, service: &expected };
        let (body, place) = self.verified_body(server, &keyed, body_bytes_max, body).await?;
        self.is_body_read = true;
        let region = self.region(&signature)?;
        let (body, place) = match self.header("content-encoding") {
            Some(GZIP) => inflate(&body, body_bytes_max, &server.bodies)?,
            _ => (body, place),
        };
        let body = self.input(body);
        let target = service.and_then(|service| self.dialect.target(services, service, &body)).map_err(|none| {
            self.owner = None;
            none.error(self.dialect.protocol())
        })?;
        let model = services[target.service];
        self.target = Some((model, target));
        if !model.operations[target.operation].is_served {
            return Err(Error::not_served(model, target.operation));
        }
        self.dispatch(server, target, found.caller, region, (Input::Body(body), place)).await
    }

    /// Whether it has the form in which operations are asked for that need no signature.
    fn may_be_unsigned(&self) -> bool {
        self.dialect == Dialect::Form && (self.parts.method == Method::GET || is_form(&self.parts))
    }

    /// A request that nobody has signed: only what AWS itself leaves unsigned may be asked for so. That its operation is
    /// in the body makes it necessary to read so much of it.
    async fn run_unsigned<B: Backend>(&mut self, server: &Arc<Server<B>>, body: Arriving) -> Result<Reply, Error> {
        let missing = |exchange: &Self| exchange.refused(&AuthError::MissingAuthenticationToken);
        let services = server.backend.services();
        let takes_unsigned = |model: &&ServiceModel| model.operations.iter().any(|operation| operation.is_unsigned);
        if !services.iter().any(takes_unsigned) {
            return Err(missing(self));
        }
        let caller = server.backend.anonymous().ok_or_else(|| missing(self))?;
        let body_bytes_max = server.limits.body_bytes_max.min(UNSIGNED_BODY_BYTES_MAX);
        let (body, place) = body::read(&server.limits, body_bytes_max, &server.bodies, body).await?;
        self.is_body_read = true;
        let body = self.input(body);
        let targets = (0..services.len()).filter_map(|service| self.dialect.target(services, service, &body).ok());
        let is_open = |target: &Target| {
            let operation = &services[target.service].operations[target.operation];
            operation.is_served && operation.is_unsigned
        };
        let target = { targets }.find(is_open).ok_or_else(|| missing(self))?;
        let model = services[target.service];
        (self.owner, self.target) = (Some(model), Some((model, target)));
        self.dispatch(server, target, caller, Region::default(), (Input::Body(body), place)).await
    }

    /// Hands a request to its handler.
    async fn dispatch<B: Backend>(
        &self,
        server: &Arc<Server<B>>,
        target: Target,
        caller: B::Caller,
        region: Region,
        (input, place): (Input, Place),
    ) -> Result<Reply, Error> {
        let call = Call {
            service: target.service,
            operation: target.operation,
            protocol: target.protocol,
            caller,
            region,
            request_id: self.request_id.clone(),
            now: self.now,
            host: sigv4::host(&self.parts).map_err(|error| self.refused(&error))?.unwrap_or_default().to_owned(),
            source_ip: self.source_ip,
            user_agent: self.header("user-agent").map(str::to_owned),
            referer: self.header("referer").map(str::to_owned),
            is_form: self.form.is_some(),
            signing: self.signing.clone(),
            input,
        };
        // In a task of its own: a client that goes away does not cut a handler off half-way, and a handler that panics
        // answers an error instead of breaking the connection.
        let (server, stream) = (server.clone(), self.stream.clone());
        let handler = tokio::spawn(async move {
            let _places = (place, stream);
            server.backend.call(call).await
        });
        handler.await.unwrap_or_else(|panic| {
            tracing::error!(request_id = %self.request_id, %panic, "a handler panicked");
            Err(Error::internal())
        })
    }

    async fn credential<B: Backend>(
        &self,
        server: &Server<B>,
        signature: &ParsedSignature,
    ) -> Result<FoundCredential<B::Caller>, Error> {
        self.find_key(server, signature.access_key_id(), signature.session_token()).await
    }

    async fn find_key<B: Backend>(
        &self,
        server: &Server<B>,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Result<FoundCredential<B::Caller>, Error> {
        let found = server.backend.credential(access_key_id, session_token).await;
        found.map_err(|error| match error {
            CredentialError::Unknown => self.refused(&AuthError::UnknownKey),
            CredentialError::InvalidToken => self.refused(&AuthError::InvalidToken),
            CredentialError::ExpiredToken => self.refused(&AuthError::ExpiredToken),
            CredentialError::Unavailable => Error::internal(),
        })
    }

    /// Reads the body and verifies the signature; where the head declares the body's hash, the other way round, so that
    /// nothing is held for somebody who only knows the name of a key.
    async fn verified_body<B: Backend>(
        &self,
        server: &Server<B>,
        Keyed { signature, secret, service }: &Keyed<'_>,
        body_bytes_max: usize,
        body: Arriving,
    ) -> Result<(Bytes, Place), Error> {
        let verify = |body: PayloadHash| {
            signature
                .verify_cached(&server.keys, &self.parts, secret, self.now, service, body)
                .map_err(|error| self.refused(&error))
        };
        let is_declared = !signature.body_rule().needs_body();
        if is_declared {
            verify(PayloadHash::Unread)?;
        }
        let (body, place) = body::read(&server.limits, body_bytes_max, &server.bodies, body).await?;
        match PayloadHash::of(&body) {
            PayloadHash::Computed(hash) if is_declared => {
                let admitted = signature.body_rule().admits(hash).then_some(());
                admitted.ok_or_else(|| self.refused(&AuthError::ContentSha256Mismatch))?;
            }
            hash => verify(hash)?,
        }
        Ok((body, place))
    }

    fn region(&self, signature: &ParsedSignature) -> Result<Region, Error> {
        signature.scope().region.parse().map_err(|_| {
            let (code, status, _) = AuthError::SignatureMismatch.aws(self.dialect.family());
            Error::new(code, status, "Credential should be scoped to a valid region.")
        })
    }

    /// What is decoded: the body, or in awsQuery the query string and the form together.
    fn input(&self, body: Bytes) -> Bytes {
        if self.dialect != Dialect::Form {
            return body;
        }
        let query = self.parts.uri.query().unwrap_or_default();
        let body = if self.parts.method == Method::GET || !is_form(&self.parts) { Bytes::new() } else { body };
        match (query.is_empty(), body.is_empty()) {
            (true, _) => body,
            (false, true) => Bytes::copy_from_slice(query.as_bytes()),
            (false, false) => [query.as_bytes(), b"&", &body].concat().into(),
        }
    }

    fn refused(&self, error: &AuthError) -> Error {
        let (code, status, message) = error.aws(self.dialect.family());
        Error::new(code, status, message).in_query(error.aws(ErrorFamily::Query).0)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    fn encode(&self, outcome: &Result<Reply, Error>) -> Encoded {
        let protocol = self.target.map_or(self.dialect.protocol(), |(_, target)| target.protocol);
        let error = |error: &Error| match self.dialect {
            Dialect::Rest { protocol, .. } => {
                rest::fault(protocol, error, rest::Told { request_id: &self.request_id, resource: &self.resource })
            }
            _ => protocol.encode_error(self.owner, error, &self.request_id),
        };
        match (outcome, self.target) {
            (Ok(Reply::Value(output)), Some((model, target))) => {
                let encoded = protocol.encode(model, target.operation, output, &self.request_id);
                match &self.form {
                    Some(form) => form.encode(encoded),
                    None => encoded,
                }
            }
            (Ok(Reply::Stream { initial, .. }), Some((model, target))) => {
                protocol.encode_initial(model, target.operation, initial)
            }
            (Ok(_), None) if self.is_preflight => Encoded::nothing(200),
            (Ok(_), None) => error(&Error::internal()),
            (Err(told), _) => error(told),
        }
    }

    /// A body that begins with `initial` and goes on with the events.
    fn stream<B: Backend>(&self, server: &Server<B>, initial: Vec<u8>, events: Events, link: Arc<Link>) -> AnswerBody {
        let shape = self.target.and_then(|(model, target)| Some((target.protocol, model.events(target.operation)?)));
        let Some((protocol, shape)) = shape else {
            tracing::error!(request_id = %self.request_id, "an operation without events answers some");
            return AnswerBody::new(initial.into(), Place::default());
        };
        let pump = Pump {
            protocol,
            shape,
            room: server.answers.clone(),
            read_timeout: server.limits.head_timeout,
            stopping: server.stopping.subscribe(),
            request_id: self.request_id.clone(),
        };
        AnswerBody::stream(pump.start(initial, events), link)
    }

    fn report<B: Backend>(&self, server: &Server<B>, outcome: &Result<Reply, Error>, status: u16, started: Instant) {
        let (service, operation) =
            self.target.map_or(("", ""), |(model, target)| (model.name, model.operation_name(target.operation)));
        let duration = started.elapsed();
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let request_id = &self.request_id;
        match outcome {
            Ok(_) => tracing::info!(%request_id, service, operation, status, micros, "request"),
            Err(error) => {
                tracing::info!(%request_id, service, operation, status, micros, code = %error.code, error = %LogText(&error.message), "request");
            }
        }
        (server.observer)(&Outcome { service, operation, status, duration });
    }
}

impl Exchange {
    fn respond(&self, encoded: &Encoded, body: AnswerBody, close: bool) -> http::Response<AnswerBody> {
        let mut response = http::Response::new(body);
        *response.status_mut() =
            http::StatusCode::from_u16(encoded.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(content_type) = encoded.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in &encoded.headers {
            let Ok(name) = name.parse::<HeaderName>() else { continue };
            // How long a body is the body says; only where there is none to be is it told.
            let is_told = name != CONTENT_LENGTH || self.asked.is_head;
            let value = HeaderValue::from_bytes(value.as_bytes()).ok().filter(|_| is_told);
            if let Some(value) = value {
                headers.insert(name, value);
            }
        }
        for (name, value) in &self.shared {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(*name, value);
            }
        }
        let is_s3 = matches!(self.dialect, Dialect::Rest { is_s3: true, .. });
        if let Ok(id) = HeaderValue::from_str(&self.request_id) {
            headers.insert(if is_s3 { "x-amz-request-id" } else { "x-amzn-requestid" }, id);
        }
        if is_s3 && let Ok(id) = HeaderValue::from_str(&rest::host_id(&self.request_id)) {
            headers.insert("x-amz-id-2", id);
        }
        if close {
            // The rest of a body that was given up is not read, so the connection cannot carry another request.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The bytes of a body that has all of them.
fn whole(full: Full<Bytes>) -> Bytes {
    full.into_inner().unwrap_or_default()
}
