//! A request whose method and path name the operation, from its verified signature to its handler.

use std::sync::Arc;

use base::Region;
use bytes::Bytes;
use http::request::Parts;

use super::{Exchange, Keyed, UNSIGNED_BODY_BYTES_MAX};
use crate::content::{Content, ContentReader, Trailers};
use crate::error::Error;
use crate::model::ServiceModel;
use crate::reply::Reply;
use crate::rest::route::NoRoute;
use crate::rest::{self, Body, Parameters, Request};
use crate::serve::body::{Arriving, RequestBody};
use crate::serve::incoming;
use crate::serve::room::{Place, Room};
use crate::serve::route::{NoTarget, Target};
use crate::serve::{Backend, Input, Server};
use crate::sigv4::{self, AuthError, BodyRule, ChunkChain, ParsedSignature, PayloadHash, StreamingKind};

/// The encoding that is none of the object's: it ends with the request.
const AWS_CHUNKED: &str = "aws-chunked";

/// Parameters of presigned addresses that say nothing of the operation, or how the body is sent, which its sender says.
const NEVER_HOISTED: [&str; 12] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-decoded-content-length",
    "x-amz-trailer",
    "x-amz-user-agent",
];

/// Who asks, and how the body is to be read.
struct Asker<C> {
    caller: C,
    region: Region,
    body: Unread,
}

/// A body as far as it has come.
enum Unread {
    /// It was needed for the signature.
    Read(Bytes, Place),
    /// It is read as the head says; if it is a document, up to so many bytes.
    Unread { body: Arriving, rule: BodyRule, chain: Option<ChunkChain>, document_bytes_max: usize },
}

impl Exchange {
    /// A request that is signed for the service numbered `service`.
    pub(super) async fn run_bound<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        signature: &ParsedSignature,
        service: usize,
        body: Arriving,
    ) -> Result<Reply, Error> {
        let model = server.backend.services()[service];
        signature.check(self.now, model.signing_name).map_err(|error| self.refused(&error))?;
        let found = self.credential(server, signature).await?;
        let keyed = Keyed { signature, secret: &found.secret, service: model.signing_name };
        let body = if signature.body_rule().needs_body() {
            let body_bytes_max = self.bound_body_bytes_max(server, model);
            let (bytes, place) = self.verified_body(server, &keyed, body_bytes_max, body).await?;
            self.is_body_read = true;
            Unread::Read(bytes, place)
        } else {
            let verdict = signature.verify_cached(
                &server.keys,
                &self.parts,
                &found.secret,
                self.now,
                model.signing_name,
                PayloadHash::Unread,
            );
            verdict.map_err(|error| self.refused(&error))?;
            let rule = signature.body_rule().clone();
            let signs_chunks =
                matches!(rule, BodyRule::Streaming(StreamingKind::Signed | StreamingKind::SignedTrailer));
            let chain = signs_chunks.then(|| signature.chunk_chain(&server.keys, &found.secret));
            let document_bytes_max = self.bound_body_bytes_max(server, model);
            Unread::Unread { body, rule, chain, document_bytes_max }
        };
        self.signing = Some(signature.signing());
        let region = self.region(signature)?;
        self.ask(server, service, Asker { caller: found.caller, region, body }).await
    }

    /// A request that nobody has signed, to a service that admits anybody. Whether its sender may have what it asks for is
    /// decided with its document read, which therefore is a small one: it takes nothing of the room that all share.
    pub(super) async fn run_bound_unsigned<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        service: usize,
        body: Arriving,
    ) -> Result<Reply, Error> {
        let model = server.backend.services()[service];
        let missing = AuthError::MissingAuthenticationToken;
        let caller = server.backend.anonymous().filter(|_| model.admits_anonymous);
        let caller = caller.ok_or_else(|| self.refused(&missing))?;
        let rule = BodyRule::of_unsigned(&self.parts).map_err(|error| self.refused(&error))?;
        let document_bytes_max = server.limits.body_bytes_max.min(UNSIGNED_BODY_BYTES_MAX);
        let body = Unread::Unread { body, rule, chain: None, document_bytes_max };
        self.ask(server, service, Asker { caller, region: Region::default(), body }).await
    }

    /// The path by which the operation is found, told with every error from here on.
    pub(super) fn find_path<B: Backend>(&mut self, server: &Server<B>, model: &ServiceModel) -> Result<(), Error> {
        let path = routed_path(&self.parts, model, server.backend.public_hosts());
        self.resource = path.map_err(|error| self.refused(&error))?;
        Ok(())
    }

    /// Finds the operation and hands the request to it.
    async fn ask<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        service: usize,
        asker: Asker<B::Caller>,
    ) -> Result<Reply, Error> {
        let model = server.backend.services()[service];
        let parameters = Parameters::parse(self.parts.uri.query())?;
        let path = self.resource.clone();
        hoist(&mut self.parts.headers, &parameters);
        let protocol = self.dialect.protocol();
        let found = rest::route::route(model, &self.parts.method, &path, &parameters, &self.parts.headers);
        let operation = found.map_err(|none| match none {
            NoRoute::Unknown => NoTarget::Path(protocol).error(protocol),
            NoRoute::Conflicting(queries) => conflicting(&queries),
        })?;
        self.target = Some((model, Target { service, operation, protocol }));
        if !model.operations[operation].is_served {
            return Err(Error::not_served(model, operation));
        }
        let (body, place) = self.bound_body(server, model, operation, asker.body).await?;
        let request =
            Request { method: self.parts.method.clone(), path, parameters, headers: self.parts.headers.clone(), body };
        let (target, input) = (Target { service, operation, protocol }, Input::Request(Box::new(request)));
        self.dispatch(server, target, asker.caller, asker.region, (input, place)).await
    }

    /// How long the body may be, in bytes: as long as the operation's that method and path name, if that may have longer ones
    /// than others.
    fn bound_body_bytes_max<B: Backend>(&self, server: &Server<B>, model: &ServiceModel) -> usize {
        let max = server.limits.body_bytes_max;
        let Ok(parameters) = Parameters::parse(self.parts.uri.query()) else { return max };
        let found = rest::route::route(model, &self.parts.method, &self.resource, &parameters, &self.parts.headers);
        let of_operation = found.ok().and_then(|operation| model.operations[operation].body_bytes_max);
        of_operation.map_or(max, |of_operation| of_operation.max(max))
    }

    /// The body as the operation wants it: a stream, or whole and looked at.
    async fn bound_body<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        model: &'static ServiceModel,
        operation: usize,
        body: Unread,
    ) -> Result<(Body, Place), Error> {
        let (body, rule, chain, document_bytes_max) = match body {
            Unread::Read(bytes, place) => return Ok((Body::Whole(bytes), place)),
            Unread::Unread { body, rule, chain, document_bytes_max } => (body, rule, chain, document_bytes_max),
        };
        let (body, rest) = RequestBody::incoming(body, server.limits.body_timeout);
        self.rest = Some(rest);
        let content = incoming::Incoming::new(body, &rule, chain, &self.parts.headers)?;
        if matches!(rule, BodyRule::Streaming(_)) {
            unchunk(&mut self.parts.headers, content.declared_length());
        }
        let content = Content::incoming(content);
        if rest::takes_content(model, operation) {
            if rest::is_s3(model) && !says_length(&self.parts) {
                return Err(incoming::missing_length());
            }
            return Ok((Body::Content(content), Place::default()));
        }
        let (bytes, place, trailers) = read(&server.bodies, document_bytes_max, content.into_reader()).await?;
        let is_own = |header: &str| rest::is_member(model, operation, header);
        rest::verify_checksums(&self.parts.headers, &trailers, &bytes, is_own)?;
        Ok((Body::Whole(bytes), place))
    }
}

/// Whether a head says how long its body is, or that it comes in pieces. In HTTP/2 what has no body needs not say so.
fn says_length(parts: &Parts) -> bool {
    parts.version >= http::Version::HTTP_2
        || parts.headers.contains_key(http::header::CONTENT_LENGTH)
        || parts.headers.contains_key(http::header::TRANSFER_ENCODING)
}

/// Reads a document of at most `max` bytes to its end, in the room for bodies.
async fn read(room: &Room, max: usize, mut reader: ContentReader) -> Result<(Bytes, Place, Trailers), Error> {
    let mut place = Place::default();
    if reader.declared_length().is_some_and(|length| length > max as u64) {
        return Err(crate::serve::body::too_large(max));
    }
    let mut whole = bytes::BytesMut::new();
    while let Some(piece) = reader.next().await? {
        if whole.len() + piece.len() > max {
            return Err(crate::serve::body::too_large(max));
        }
        room.grow(&mut place, whole.len() + piece.len())?;
        whole.extend_from_slice(&piece);
    }
    let trailers = reader.trailers().clone();
    Ok((whole.freeze(), place, trailers))
}

/// The path by which the operation is found: with the bucket in front that the host names.
fn routed_path(parts: &Parts, model: &ServiceModel, public_hosts: &[String]) -> Result<String, AuthError> {
    let path = parts.uri.path();
    let path = if path.is_empty() { "/" } else { path };
    if !rest::is_s3(model) {
        return Ok(path.to_owned());
    }
    let bucket = sigv4::host(parts)?.and_then(|host| rest::host::bucket(host, public_hosts));
    Ok(match bucket {
        Some(bucket) => format!("/{bucket}{path}"),
        None => path.to_owned(),
    })
}

/// Puts into the head what a presigned address says in its query instead: S3 takes metadata, access control lists, storage
/// classes and the like from there. (Not checksums: signers that have no body yet put those of none into addresses, and S3
/// looks at them as little.)
fn hoist(headers: &mut http::HeaderMap, parameters: &Parameters) {
    if !parameters.has("X-Amz-Signature") {
        return;
    }
    for (name, value) in parameters.iter() {
        let name = name.to_ascii_lowercase();
        let is_hoisted = name.starts_with("x-amz-")
            && !name.starts_with("x-amz-checksum-")
            && !NEVER_HOISTED.contains(&name.as_str());
        let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), http::HeaderValue::from_bytes(value.as_bytes()))
        else {
            continue;
        };
        if is_hoisted && !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

/// Says in the head what is true of the bytes within the chunks.
fn unchunk(headers: &mut http::HeaderMap, length: Option<u64>) {
    let encodings: Vec<String> = headers
        .get_all(http::header::CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case(AWS_CHUNKED))
        .map(str::to_owned)
        .collect();
    headers.remove(http::header::CONTENT_ENCODING);
    if let Ok(value) = encodings.join(",").parse::<http::HeaderValue>()
        && !encodings.is_empty()
    {
        headers.insert(http::header::CONTENT_ENCODING, value);
    }
    if let Some(length) = length {
        headers.insert(http::header::CONTENT_LENGTH, length.into());
    }
}

fn conflicting(queries: &[&'static str]) -> Error {
    let message = format!("Conflicting query string parameters: {}", queries.join(", "));
    Error::new("InvalidArgument", 400, message).with("ArgumentName", "ResourceType")
}
