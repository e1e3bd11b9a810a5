//! One request, from its head to its answer.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use base::{Region, Timestamp};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};

use super::route::{Dialect, Target, is_form};
use super::{Backend, Call, CredentialError, FoundCredential, Outcome, Response, Server};
use crate::error::Error;
use crate::protocol::Encoded;
use crate::sigv4::{self, AuthError, ParsedSignature, PayloadHash};
use crate::value::Value;

impl<B: Backend> Server<B> {
    /// Answers one request. Never fails: whatever goes wrong is an answer.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>, source_ip: Option<IpAddr>) -> Response {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        if let Some(response) = (self.internal)(&parts) {
            return response;
        }
        let mut exchange = Exchange {
            dialect: Dialect::of(&parts),
            request_id: self.backend.request_id(),
            now: self.backend.now(),
            source_ip,
            namespace: None,
            target: None,
            parts,
        };
        let outcome = exchange.run(&self, body).await;
        let encoded = exchange.encode(&self, &outcome);
        exchange.report(&self, &outcome, encoded.status, started);
        respond(encoded, &exchange.request_id, outcome.is_err_and(|error| error.status == 413))
    }
}

const INCOMPLETE: &str = "You did not provide the number of bytes specified by the Content-Length HTTP header.";
const TIMED_OUT: &str =
    "Your socket connection to the server was not read from or written to within the timeout period.";

fn too_large(max: usize) -> Error {
    Error::new("RequestEntityTooLargeException", 413, format!("The request's body is larger than {max} bytes."))
}

/// What is known of a request so far.
struct Exchange {
    parts: Parts,
    dialect: Dialect,
    request_id: String,
    now: Timestamp,
    source_ip: Option<IpAddr>,
    /// The namespace of XML errors: the service's, as long as it seems to be one that the service answers itself.
    namespace: Option<&'static str>,
    target: Option<Target>,
}

impl Exchange {
    async fn run<B: Backend>(&mut self, server: &Arc<Server<B>>, body: Incoming) -> Result<Value, Error> {
        let signature = sigv4::parse(&self.parts).map_err(|error| self.refused(&error))?;
        let services = server.backend.services();
        let scope = signature.scope();
        let service = self.dialect.service(services, &scope.service);
        let expected: Cow<'_, str> = match &service {
            Ok(service) => {
                self.namespace = services[*service].xml_namespace;
                services[*service].signing_name.into()
            }
            Err(_) => scope.service.clone().into(),
        };
        signature.check(self.now, &expected).map_err(|error| self.refused(&error))?;
        let found = self.credential(server, &signature).await?;
        let body = self.read_body(server, body).await?;
        self.verify(server, &signature, &found.secret, &expected, &body)?;
        let region = self.region(&signature)?;
        let body = self.input(body);
        let target = service.and_then(|service| self.dialect.target(services, service, &body)).map_err(|none| {
            self.namespace = None;
            none.error(self.dialect.protocol())
        })?;
        self.target = Some(target);
        let model = services[target.service];
        if !model.operations[target.operation].is_served {
            return Err(Error::not_served(model, target.operation));
        }
        let call = Call {
            service: target.service,
            operation: target.operation,
            protocol: target.protocol,
            caller: found.caller,
            region,
            request_id: self.request_id.clone(),
            now: self.now,
            host: sigv4::host(&self.parts).map_err(|error| self.refused(&error))?.unwrap_or_default().to_owned(),
            source_ip: self.source_ip,
            user_agent: self.header("user-agent").map(str::to_owned),
            body,
        };
        // In a task of its own: a client that goes away does not cut a handler off half-way, and a handler that panics
        // answers an error instead of breaking the connection.
        let server = server.clone();
        let handler = tokio::spawn(async move { server.backend.call(call).await });
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
        let found = server.backend.credential(signature.access_key_id(), signature.session_token()).await;
        found.map_err(|error| match error {
            CredentialError::Unknown => self.refused(&AuthError::UnknownKey),
            CredentialError::InvalidToken => self.refused(&AuthError::InvalidToken),
            CredentialError::ExpiredToken => self.refused(&AuthError::ExpiredToken),
            CredentialError::Unavailable => Error::internal(),
        })
    }

    async fn read_body<B: Backend>(&self, server: &Server<B>, mut body: Incoming) -> Result<Bytes, Error> {
        let max = server.limits.body_bytes_max;
        if body.size_hint().lower() > max as u64 {
            return Err(too_large(max));
        }
        let mut whole = BytesMut::new();
        loop {
            match tokio::time::timeout(server.limits.body_timeout, body.frame()).await {
                Ok(None) => return Ok(whole.freeze()),
                Ok(Some(Ok(frame))) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if whole.len() + data.len() > max {
                        return Err(too_large(max));
                    }
                    whole.extend_from_slice(&data);
                }
                Ok(Some(Err(_))) => return Err(Error::new("IncompleteBody", 400, INCOMPLETE)),
                Err(_) => return Err(Error::new("RequestTimeout", 408, TIMED_OUT)),
            }
        }
    }

    fn verify<B: Backend>(
        &self,
        server: &Server<B>,
        signature: &ParsedSignature,
        secret: &sigv4::SecretAccessKey,
        expected_service: &str,
        body: &[u8],
    ) -> Result<(), Error> {
        let hash = PayloadHash::of(body);
        signature
            .verify_cached(&server.keys, &self.parts, secret, self.now, expected_service, hash)
            .map_err(|error| self.refused(&error))
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
        Error::new(code, status, message)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }

    fn encode<B: Backend>(&self, server: &Server<B>, outcome: &Result<Value, Error>) -> Encoded {
        let model = self.target.map(|target| server.backend.services()[target.service]);
        match (outcome, self.target, model) {
            (Ok(output), Some(target), Some(model)) => {
                target.protocol.encode(model, target.operation, output, &self.request_id)
            }
            (Ok(_), _, _) => self.dialect.protocol().encode_error(self.namespace, &Error::internal(), &self.request_id),
            (Err(error), target, _) => {
                let protocol = target.map_or(self.dialect.protocol(), |target| target.protocol);
                protocol.encode_error(self.namespace, error, &self.request_id)
            }
        }
    }

    fn report<B: Backend>(&self, server: &Server<B>, outcome: &Result<Value, Error>, status: u16, started: Instant) {
        let model = self.target.map(|target| server.backend.services()[target.service]);
        let service = model.map_or("", |model| model.name);
        let operation = match (model, self.target) {
            (Some(model), Some(target)) => model.operation_name(target.operation),
            _ => "",
        };
        let duration = started.elapsed();
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let request_id = &self.request_id;
        match outcome {
            Ok(_) => tracing::info!(%request_id, service, operation, status, micros, "request"),
            Err(error) => {
                tracing::info!(%request_id, service, operation, status, micros, code = %error.code, error = %error.message, "request");
            }
        }
        (server.observer)(&Outcome { service, operation, status, duration });
    }
}

fn respond(encoded: Encoded, request_id: &str, close: bool) -> Response {
    let mut response = Response::new(Full::new(Bytes::from(encoded.body)));
    *response.status_mut() =
        http::StatusCode::from_u16(encoded.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert("content-type", HeaderValue::from_static(encoded.content_type));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    if close {
        // The rest of a body that is too large is not read, so the connection cannot carry another request.
        headers.insert("connection", HeaderValue::from_static("close"));
    }
    response
}
