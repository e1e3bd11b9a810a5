//! `/v2/<name>/blobs/uploads/…`: blobs on their way into a repository, in one piece, in several, or from another
//! repository.
//!
//! A client that goes away in the middle of a `PATCH` finds what was received when it comes back. What it has sent by one
//! `POST` is forgotten, and a `PUT` leaves the upload as it was before, so that it can be sent again.

use std::time::Duration;

use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderValue, LOCATION, RANGE};
use serde_json::json;
use store::Versioned;
use wire::serve::raw::RawResponse;

use super::answer::Answer;
use super::body::{self, Cut, InTurn, Received};
use super::mount::mount;
use super::refusal::{Code, Refusal};
use super::route::is_upload_id;
use super::turns::Turn;
use super::{Registry, Request, digest, range};
use crate::Error;
use crate::content::{Session, UPLOAD_BYTES_MAX};
use crate::digest::ContentDigest;
use crate::repository::Found;
use crate::upload::{self, Held, Upload};

/// How long a request waits for another one that writes to the same upload, which has been told to stop.
const HELD_WAIT_MAX: Duration = Duration::from_secs(20);
/// How often it is noted that an upload goes on.
const NOTED_EVERY: Duration = Duration::from_secs(3600);

/// `POST`: begins an upload, or does all of it at once, or takes the blob over from another repository.
pub(super) async fn start(request: Request<'_>, name: &str) -> Result<RawResponse, Refusal> {
    if let Some(wanted) = request.parameter("mount") {
        let (wanted, from) = (digest(&wanted)?, request.parameter("from").map(|from| from.into_owned()));
        let repository = request.admit(name, &["ecr:InitiateLayerUpload"]).await?;
        if mount(&request, &repository, &wanted, from.as_deref()).await? {
            return Ok(created(name, &wanted, "MountBlob"));
        }
        return begin(&request, name, &repository).await;
    }
    let whole = request.parameter("digest").map(|text| digest(&text)).transpose()?;
    match whole {
        // A client that sends nothing yet means to send it later.
        Some(whole) if request.body.declared_length() != Some(0) || is_empty(&whole) => {
            all(request, name, &whole).await
        }
        _ => {
            let repository = request.admit(name, &["ecr:InitiateLayerUpload"]).await?;
            begin(&request, name, &repository).await
        }
    }
}

/// Whether a digest is that of no bytes at all.
fn is_empty(digest: &ContentDigest) -> bool {
    *digest == ContentDigest::of(digest.algorithm(), b"")
}

async fn begin(request: &Request<'_>, name: &str, repository: &Found) -> Result<RawResponse, Refusal> {
    let id = upload::begin(request.ecr(), repository, request.ctx.now).await?;
    Ok(at(Answer::new(StatusCode::ACCEPTED), name, &id, 0).done("StartBlobUpload"))
}

/// Receives a whole blob. If that does not succeed, nothing is left.
async fn all(mut request: Request<'_>, name: &str, wanted: &ContentDigest) -> Result<RawResponse, Refusal> {
    let actions = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"];
    let repository = request.admit(name, &actions).await?;
    check_size(&request, 0)?;
    let ecr = &request.registry.ecr;
    let id = upload::begin(ecr, &repository, request.ctx.now).await?;
    let stored = match store(&mut request, &repository, &id, wanted).await {
        Ok(()) => Ok(created(name, wanted, "UploadBlob")),
        Err(refusal) => Err(refusal),
    };
    if stored.is_err() {
        // It may have been given up already, because it was something else than was announced.
        if let Err(error) = upload::cancel(ecr, &repository, &id).await {
            tracing::debug!(%error, "an upload that failed is gone already, or goes when it is too old");
        }
    }
    stored
}

async fn store(request: &mut Request<'_>, repository: &Found, id: &str, wanted: &ContentDigest) -> Result<(), Refusal> {
    let _place = request.registry.uploads.take(request.ctx.account()).await?;
    let Held { record, session } = hold(request, repository, id).await?;
    let received = body::receive(session, &mut request.body, None, &|_| ()).await;
    received.end?;
    let session = received.session.ok_or_else(Refusal::upload_unknown)?;
    upload::finish(request.ecr(), repository, Held { record, session }, wanted, request.ctx.now).await?;
    Ok(())
}

/// `PATCH`: goes on with an upload.
pub(super) async fn append(mut request: Request<'_>, name: &str, id: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:UploadLayerPart"]).await?;
    let turn = request.registry.turns.take(repository.id(), id);
    let Held { record, session } = hold(&request, &repository, id).await?;
    let before = session.length();
    let Received { session, end } = go_on(&mut request, (name, id), session, &turn, (&repository, &record)).await?;
    let now = request.ecr().platform.clock.now();
    upload::note_part(request.ecr(), &repository, &record, false, now).await?;
    let session = match (session, end) {
        (Some(session), Ok(())) => session,
        (Some(session), Err(cut @ Cut::Length)) => {
            // It was not what it said to be, so none of it counts.
            session.shorten(before).await.map_err(|error| Refusal::of_content(&error))?;
            return Err(cut.into());
        }
        (_, Err(cut)) => return Err(cut.into()),
        (None, Ok(())) => return Err(Refusal::upload_unknown()),
    };
    Ok(at(Answer::new(StatusCode::ACCEPTED), name, id, session.length()).done("AppendBlobUpload"))
}

/// `PUT`: ends an upload, maybe with its last piece.
pub(super) async fn finish(mut request: Request<'_>, name: &str, id: &str) -> Result<RawResponse, Refusal> {
    let has_body = request.body.declared_length() != Some(0);
    let actions = ["ecr:CompleteLayerUpload", "ecr:UploadLayerPart"];
    let repository = request.admit(name, if has_body { &actions } else { &actions[..1] }).await?;
    let wanted = digest(&request.parameter("digest").unwrap_or_default())?;
    let turn = request.registry.turns.take(repository.id(), id);
    let Held { record, mut session } = hold(&request, &repository, id).await?;
    if has_body {
        let before = session.length();
        let received = go_on(&mut request, (name, id), session, &turn, (&repository, &record)).await?;
        session = match received {
            Received { session: Some(session), end: Ok(()) } => session,
            Received { session, end } => {
                take_back(&request, &repository, id, session, before).await?;
                return Err(end.map_or_else(Refusal::from, |()| Refusal::upload_unknown()));
            }
        };
    }
    upload::finish(request.ecr(), &repository, Held { record, session }, &wanted, request.ctx.now).await?;
    Ok(created(name, &wanted, "FinishBlobUpload"))
}

/// Receives the body of a request into an upload, after checking that it goes on where that ends.
async fn go_on(
    request: &mut Request<'_>,
    (name, id): (&str, &str),
    session: Session,
    turn: &Turn<'_>,
    (repository, record): (&Found, &Versioned<Upload>),
) -> Result<Received, Refusal> {
    let before = session.length();
    let announced = check_place(request, name, id, before)?;
    check_size(request, before)?;
    let registry = request.registry;
    let _place = registry.uploads.take(request.ctx.account()).await?;
    turn.tell(before);
    let mut body = InTurn { body: &mut request.body, turn };
    let tell = |length| turn.tell(length);
    let received = body::receive(session, &mut body, announced, &tell);
    tokio::select! {
        received = received => Ok(received),
        () = keep_alive(registry, repository, record) => Err(Refusal::upload_unknown()),
    }
}

/// Notes now and then that an upload goes on, so that it is not given up though its body takes a day. Ends when the upload
/// has gone.
async fn keep_alive(registry: &Registry, repository: &Found, record: &Versioned<Upload>) {
    loop {
        tokio::time::sleep(NOTED_EVERY).await;
        let now = registry.ecr.platform.clock.now();
        match upload::note_part(&registry.ecr, repository, record, false, now).await {
            Err(Error::UploadNotFound { .. }) => return,
            Err(error) => tracing::debug!(%error, "that an upload goes on cannot be noted"),
            Ok(()) => {}
        }
    }
}

/// Makes an upload as long as it was before a request that failed.
async fn take_back(
    request: &Request<'_>,
    repository: &Found,
    id: &str,
    session: Option<Session>,
    before: u64,
) -> Result<(), Refusal> {
    let session = match session {
        Some(session) => session,
        // What failed to write it let it go.
        None => hold(request, repository, id).await?.session,
    };
    if session.length() > before {
        session.shorten(before).await.map_err(|error| Refusal::of_content(&error))?;
    }
    Ok(())
}

/// `GET`: tells how far an upload is, while somebody writes to it, too.
pub(super) async fn status(request: &Request<'_>, name: &str, id: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:UploadLayerPart"]).await?;
    let length = match request.registry.turns.length(repository.id(), id) {
        Some(length) => length,
        None => hold(request, &repository, id).await?.session.length(),
    };
    Ok(at(Answer::new(StatusCode::NO_CONTENT), name, id, length).done("GetBlobUpload"))
}

/// `DELETE`: gives an upload up.
pub(super) async fn cancel(request: &Request<'_>, name: &str, id: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:UploadLayerPart"]).await?;
    if !is_upload_id(id) {
        return Err(Refusal::upload_unknown());
    }
    let _turn = request.registry.turns.take(repository.id(), id);
    upload::cancel(request.ecr(), &repository, id).await?;
    Ok(Answer::new(StatusCode::NO_CONTENT).done("CancelBlobUpload"))
}

/// Takes an upload of a repository, once whoever writes to it is done.
async fn hold(request: &Request<'_>, repository: &Found, id: &str) -> Result<Held, Refusal> {
    if !is_upload_id(id) {
        return Err(Refusal::upload_unknown());
    }
    let held = tokio::time::timeout(HELD_WAIT_MAX, upload::hold(request.ecr(), repository, id)).await;
    let busy = |_| Refusal::new(Code::TooManyRequests, "Another request writes to the upload. Try again.");
    Ok(held.map_err(busy)??)
}

/// Checks that the body goes on where the upload ends, if it says where it goes on; answers how long it says to be.
fn check_place(request: &Request<'_>, name: &str, id: &str, length: u64) -> Result<Option<u64>, Refusal> {
    let Some(text) = request.parts.headers.get(CONTENT_RANGE) else { return Ok(None) };
    let invalid = |message: &str| Refusal::new(Code::BlobUploadInvalid, message);
    let text = text.to_str().map_err(|_| invalid("The Content-Range is none."))?;
    let sent = range::sent(text).ok_or_else(|| invalid("The Content-Range is none."))?;
    if sent.start != length {
        return Err(out_of_order(name, id, length));
    }
    let announced = sent.end - sent.start;
    if request.body.declared_length().is_some_and(|declared| declared != announced) {
        return Err(Cut::Length.into());
    }
    Ok(Some(announced))
}

/// The body does not go on where the upload ends, which is told.
fn out_of_order(name: &str, id: &str, length: u64) -> Refusal {
    let message = format!("The upload has {length} bytes: that is where it goes on.");
    let refusal = Refusal::new(Code::BlobUploadInvalid, message)
        .status(StatusCode::RANGE_NOT_SATISFIABLE)
        .detail(json!({"received": length}));
    let headers = [(LOCATION, place_of(name, id)), (RANGE, received_range(length))];
    headers.into_iter().fold(refusal, |refusal, (name, value)| match HeaderValue::try_from(value) {
        Ok(value) => refusal.header(name, value),
        Err(_) => refusal,
    })
}

/// Refuses what would be too large before any of it is received.
fn check_size(request: &Request<'_>, before: u64) -> Result<(), Refusal> {
    let declared = request.body.declared_length().unwrap_or_default();
    if before.saturating_add(declared) > UPLOAD_BYTES_MAX { Err(Refusal::too_large()) } else { Ok(()) }
}

/// The blob is there.
fn created(name: &str, digest: &ContentDigest, operation: &'static str) -> RawResponse {
    Answer::new(StatusCode::CREATED)
        .location(&format!("/v2/{name}/blobs/{digest}"))
        .content_digest(digest.as_str())
        .done(operation)
}

/// Where an upload is, and how far.
fn at(answer: Answer, name: &str, id: &str, length: u64) -> Answer {
    answer.location(&place_of(name, id)).header(RANGE, &received_range(length)).upload(id)
}

fn place_of(name: &str, id: &str) -> String {
    format!("/v2/{name}/blobs/uploads/{id}")
}

/// What was received, from the first byte to the last; clients know `0-0` as nothing.
fn received_range(length: u64) -> String {
    format!("0-{}", length.saturating_sub(1))
}
