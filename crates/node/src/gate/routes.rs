//! What the gate answers to whom.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ACCEPT_RANGES, CONNECTION, CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::authority::{HOST_VALID, HostCertificate};
use super::blob_body::BlobBody;
use super::grants;
use super::held::Held;
use super::host::Host;
use super::lease::{FENCE_AFTER, RENEW_EVERY};
use super::roster::{Applicant, GateError};
use super::token::Secret;
use super::words::{
    BLOBS, BODY_BYTES_MAX, Certified, DOOR, DOOR_PROTOCOL, JOIN, JoinRequest, LEASE, LINK, LINK_PROTOCOL, Leased,
    RENEW, Refusal, RefusalKind, RenewRequest,
};
use super::{Gate, millis};
use crate::certificates::Fingerprint;

/// How long a host may take to send the body of a request, and to go on with a connection that becomes something else.
const BODY_PATIENCE: Duration = Duration::from_secs(10);
/// How long a public key's text is at most, in bytes.
const KEY_TEXT_BYTES_MAX: usize = 128;

pub(super) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Nobody yet: it may join.
    Stranger,
    /// A host, by the certificate that it showed, and the connection's place among its own.
    Host { host: Arc<Host>, certificate: Fingerprint, place: Arc<OwnedSemaphorePermit> },
    /// Somebody with a certificate of ours that no host has any more, or whose time is over.
    Former(Fingerprint),
}

/// What is not answered.
struct Refused(StatusCode, RefusalKind, String);

impl From<GateError> for Refused {
    fn from(error: GateError) -> Self {
        let (status, kind) = match &error {
            GateError::Token => (StatusCode::FORBIDDEN, RefusalKind::Token),
            GateError::NameTaken => (StatusCode::CONFLICT, RefusalKind::Name),
            GateError::Unknown => (StatusCode::FORBIDDEN, RefusalKind::Unknown),
            GateError::Expired => (StatusCode::FORBIDDEN, RefusalKind::Expired),
            GateError::TooMany => (StatusCode::SERVICE_UNAVAILABLE, RefusalKind::Busy),
            GateError::Authority(super::AuthorityError::Key) => (StatusCode::BAD_REQUEST, RefusalKind::Wrong),
            GateError::Authority(_) | GateError::Store(_) => {
                tracing::error!(%error, "a node could not be answered");
                let told = "the server failed".to_owned();
                return Self(StatusCode::INTERNAL_SERVER_ERROR, RefusalKind::Busy, told);
            }
        };
        Self(status, kind, error.to_string())
    }
}

/// Answers a request. Never fails: whatever goes wrong is an answer.
pub(super) async fn answer(gate: Gate, caller: Caller, request: Request<Incoming>) -> Answer {
    let answered = match caller {
        Caller::Stranger => stranger(&gate, request).await,
        Caller::Former(certificate) => former(&gate, certificate).await,
        Caller::Host { host, certificate, place } => known(&gate, host, certificate, request, place).await,
    };
    answered.unwrap_or_else(|Refused(status, kind, message)| json(status, &Refusal { kind, message }))
}

async fn stranger(gate: &Gate, request: Request<Incoming>) -> Result<Answer, Refused> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, JOIN) => join(gate, read(request).await?).await,
        _ => Err(Refused(StatusCode::UNAUTHORIZED, RefusalKind::Denied, "a certificate is needed".to_owned())),
    }
}

/// Says why a certificate is good no more.
async fn former(gate: &Gate, certificate: Fingerprint) -> Result<Answer, Refused> {
    Err(gate.0.roster.who(certificate, gate.now()).await.err().unwrap_or(GateError::Unknown).into())
}

async fn known(
    gate: &Gate,
    host: Arc<Host>,
    certificate: Fingerprint,
    request: Request<Incoming>,
    place: Arc<OwnedSemaphorePermit>,
) -> Result<Answer, Refused> {
    // A connection lives longer than a certificate, or a host's name, may.
    let (name, not_after) = gate.0.roster.who(certificate, gate.0.clock.now()).await?;
    if name != host.name {
        return Err(GateError::Unknown.into());
    }
    match (request.method(), request.uri().path()) {
        (&Method::POST, RENEW) => renew(gate, &host, certificate, read(request).await?).await,
        (&Method::POST, LEASE) => lease(gate, &host, not_after),
        (&Method::GET, LINK) => {
            let name = host.name.clone();
            upgrade(request, LINK_PROTOCOL, host, place, move |host, stream| {
                tracing::debug!(%name, "a node is there to be asked");
                host.offer(Box::new(stream));
            })
        }
        (&Method::GET, DOOR) => {
            let door = Arc::clone(&gate.0.door);
            upgrade(request, DOOR_PROTOCOL, host, place, move |host, stream| {
                tokio::spawn(door.serve(host.name.clone(), Box::new(stream)));
            })
        }
        (&Method::GET, path) if path.starts_with(BLOBS) => {
            let digest = path[BLOBS.len()..].to_owned();
            blob(gate, host, &digest, request.headers()).await
        }
        _ => Err(Refused(StatusCode::NOT_FOUND, RefusalKind::Wrong, "there is nothing of that name".to_owned())),
    }
}

async fn join(gate: &Gate, asked: JoinRequest) -> Result<Answer, Refused> {
    let secret = Secret::read(&asked.secret).ok_or(GateError::Token)?;
    let public_key = public_key(&asked.public_key)?;
    let applicant = Applicant {
        token: &asked.token,
        secret: &secret,
        name: &asked.name,
        public_key_text: &asked.public_key,
        public_key: &public_key,
    };
    let made = gate.join(&applicant).await?;
    tracing::info!(name = asked.name.as_str(), "a node has joined");
    Ok(certified(gate, made))
}

async fn renew(gate: &Gate, host: &Host, certificate: Fingerprint, asked: RenewRequest) -> Result<Answer, Refused> {
    let key = public_key(&asked.public_key)?;
    let now = gate.0.clock.now();
    let made = gate.0.roster.renew(&host.name, certificate, &key, &gate.0.authority, now).await?;
    Ok(certified(gate, made))
}

fn lease(gate: &Gate, host: &Host, not_after: Timestamp) -> Result<Answer, Refused> {
    gate.renew_lease(&host.name).ok_or(GateError::Unknown)?;
    let leased = Leased {
        fence_after_ms: millis(FENCE_AFTER),
        renew_every_ms: millis(RENEW_EVERY),
        renew_certificate: not_after <= gate.0.clock.now().plus(HOST_VALID / 2),
    };
    Ok(json(StatusCode::OK, &leased))
}

/// A blob, or what there is of it from a position on.
async fn blob(gate: &Gate, host: Arc<Host>, digest: &str, headers: &HeaderMap) -> Result<Answer, Refused> {
    // Which blobs there are is not told to who may not read them.
    let denied = || Refused(StatusCode::FORBIDDEN, RefusalKind::Denied, "this node needs no such blob".to_owned());
    let digest: images::Digest = digest.parse().map_err(|_| denied())?;
    let from = first_byte(headers)?;
    let busy = || Refused(StatusCode::SERVICE_UNAVAILABLE, RefusalKind::Busy, "too many blobs at one time".to_owned());
    let turn = timeout(BODY_PATIENCE, Arc::clone(&host.transfers).acquire_owned()).await;
    let turn = turn.ok().and_then(Result::ok).ok_or_else(busy)?;
    let blobs = gate.0.blobs.clone();
    let opened =
        tokio::task::spawn_blocking(move || host.grants.allows(&digest, &blobs).then(|| grants::open(&blobs, &digest)));
    let broken = |reason: String| {
        tracing::error!(reason, "a blob cannot be read");
        Refused(StatusCode::INTERNAL_SERVER_ERROR, RefusalKind::Busy, "the server failed".to_owned())
    };
    let opened = opened.await.map_err(|error| broken(error.to_string()))?.ok_or_else(denied)?;
    let missing = || Refused(StatusCode::NOT_FOUND, RefusalKind::Wrong, "it is not here".to_owned());
    let found = opened.map_err(|error| broken(error.to_string()))?.ok_or_else(missing)?;
    let size = found.size();
    if from > size {
        return Err(Refused(StatusCode::RANGE_NOT_SATISFIABLE, RefusalKind::Wrong, "it is shorter".to_owned()));
    }
    let body = BlobBody::new(found.into_file(), from, size - from, turn);
    let mut answer = Response::new(UnsyncBoxBody::new(body));
    answer.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if from > 0 {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        let range = format!("bytes {from}-{}/{size}", size.saturating_sub(1));
        if let Ok(range) = HeaderValue::from_str(&range) {
            answer.headers_mut().insert(CONTENT_RANGE, range);
        }
    }
    Ok(answer)
}

/// From where on a blob is wanted: `bytes=N-` is the only range that hosts ask for.
fn first_byte(headers: &HeaderMap) -> Result<u64, Refused> {
    let Some(range) = headers.get(RANGE) else { return Ok(0) };
    let from = range.to_str().ok().and_then(|text| text.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    from.ok_or_else(|| Refused(StatusCode::BAD_REQUEST, RefusalKind::Wrong, "no such range is served".to_owned()))
}

/// Makes something else of a connection.
fn upgrade(
    mut request: Request<Incoming>,
    protocol: &'static str,
    host: Arc<Host>,
    place: Arc<OwnedSemaphorePermit>,
    take: impl FnOnce(&Host, Held) + Send + 'static,
) -> Result<Answer, Refused> {
    let asks = request.headers().get(UPGRADE).is_some_and(|value| value.as_bytes() == protocol.as_bytes());
    if !asks {
        let message = format!("this connection is to become {protocol}");
        return Err(Refused(StatusCode::UPGRADE_REQUIRED, RefusalKind::Wrong, message));
    }
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        match timeout(BODY_PATIENCE, upgraded).await {
            Ok(Ok(stream)) => {
                let gone = host.gone();
                take(&host, Held::new(TokioIo::new(stream), place).until(gone));
            }
            Ok(Err(error)) => tracing::debug!(%error, "a node did not go on with a connection"),
            Err(_) => tracing::debug!("a node took too long to go on with a connection"),
        }
    });
    let mut answer = Response::new(UnsyncBoxBody::new(Empty::new().map_err(|never| match never {})));
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    answer.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    Ok(answer)
}

fn public_key(text: &str) -> Result<Vec<u8>, Refused> {
    let decoded = (text.len() <= KEY_TEXT_BYTES_MAX).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
    decoded.ok_or_else(|| GateError::Authority(super::AuthorityError::Key).into())
}

fn certified(gate: &Gate, made: HostCertificate) -> Answer {
    let (certificate, facts) = (made.certificate, gate.0.facts.clone());
    json(StatusCode::OK, &Certified { certificate, valid_s: HOST_VALID.as_secs(), facts })
}

/// Reads a request's body.
async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, Refused> {
    let wrong = || Refused(StatusCode::BAD_REQUEST, RefusalKind::Wrong, "the request cannot be read".to_owned());
    let body = timeout(BODY_PATIENCE, Limited::new(request.into_body(), BODY_BYTES_MAX).collect()).await;
    let body = body.map_err(|_| wrong())?.map_err(|_| wrong())?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| wrong())
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Texts and numbers in structs always become JSON; an empty body is refused at the other side.
    let body = Full::from(serde_json::to_vec(body).unwrap_or_default());
    let mut answer = Response::new(UnsyncBoxBody::new(body.map_err(|never| match never {})));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
