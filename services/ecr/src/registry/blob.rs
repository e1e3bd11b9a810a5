//! `/v2/<name>/blobs/<digest>`: pulling, asking for and deleting blobs.

use http::header::{CONTENT_RANGE, HeaderValue, IF_RANGE, RANGE};
use http::request::Parts;
use http::{Method, StatusCode};
use store::Versioned;
use wire::serve::raw::{RawBody, RawResponse};

use super::answer::{Answer, OCTETS, entity_tag, is_known};
use super::refusal::{Code, Refusal};
use super::{Request, digest, header, range};
use crate::Ecr;
use crate::content::ContentError;
use crate::digest::ContentDigest;
use crate::layer::{self, BlobReference};
use crate::reconcile::references::{Taken, take};

/// Answers a blob or a part of it.
pub(super) async fn get(request: &Request<'_>, name: &str, text: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:GetDownloadUrlForLayer"]).await?;
    let digest = digest(text)?;
    let reference = layer::read(&request.ecr().platform.store, &repository, &digest).await?;
    let reference = reference.ok_or_else(|| Refusal::blob_unknown(text))?;
    content(request.ecr(), &request.parts, &digest, &reference, "GetBlob").await
}

/// Tells whether a repository has a blob. It is kept for a while, for the image that may be about to be pushed.
pub(super) async fn head(request: &Request<'_>, name: &str, text: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:BatchCheckLayerAvailability"]).await?;
    let digest = digest(text)?;
    let store = &request.ecr().platform.store;
    let reference = layer::read(store, &repository, &digest).await?.ok_or_else(|| Refusal::blob_unknown(text))?;
    layer::note_seen(store, [&reference], request.ctx.now).await?;
    Ok(described(StatusCode::OK, &digest).length(reference.size).done("HeadBlob"))
}

/// Takes a blob from a repository, unless an image there has it.
pub(super) async fn delete(request: &Request<'_>, name: &str, text: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:BatchDeleteImage"]).await?;
    let digest = digest(text)?;
    match take(request.ecr(), &repository, &digest).await? {
        Taken::Gone => Ok(Answer::new(StatusCode::ACCEPTED).done("DeleteBlob")),
        Taken::NotFound => Err(Refusal::blob_unknown(text)),
        Taken::InUse => Err(Refusal::in_use("An image in the repository has the blob.")),
    }
}

/// Answers the bytes of a blob, or those that the request asks for.
pub(super) async fn content(
    ecr: &Ecr,
    parts: &Parts,
    digest: &ContentDigest,
    reference: &Versioned<BlobReference>,
    operation: &'static str,
) -> Result<RawResponse, Refusal> {
    let size = reference.size;
    if is_known(&parts.headers, digest.as_str()) {
        return Ok(described(StatusCode::NOT_MODIFIED, digest).done(operation));
    }
    let part = match asked(parts, digest) {
        Some(asked) => range::wanted(asked, size).map_err(|_| unsatisfiable(size))?,
        None => None,
    };
    if parts.method == Method::HEAD {
        return Ok(described(StatusCode::OK, digest).length(size).done(operation));
    }
    let file = open(ecr, reference.content, size).await.map_err(|error| Refusal::of_content(&error))?;
    let answer = match &part {
        Some(part) => described(StatusCode::PARTIAL_CONTENT, digest)
            .header(CONTENT_RANGE, &format!("bytes {}-{}/{size}", part.start, part.end - 1)),
        None => described(StatusCode::OK, digest),
    };
    Ok(answer.body(RawBody::File { file, range: part.unwrap_or(0..size) }).done(operation))
}

/// Opens a blob's file. A record needs it, and its size is the record's, or something is damaged.
pub(super) async fn open(ecr: &Ecr, content: blobs::Digest, size: u64) -> Result<std::fs::File, ContentError> {
    match ecr.content.open_blob(content).await? {
        Some(blob) if blob.size() == size => Ok(blob.into_file()),
        Some(_) => Err(ContentError::Broken(format!("{content} has another size than its record"))),
        None => Err(ContentError::Broken(format!("{content} is missing"))),
    }
}

/// The range that is asked for, unless it is one of something that the client had before.
fn asked<'a>(parts: &'a Parts, digest: &ContentDigest) -> Option<&'a str> {
    let is_current = header(&parts.headers, IF_RANGE).is_none_or(|tag| tag.trim() == entity_tag(digest.as_str()));
    header(&parts.headers, RANGE).filter(|_| is_current && parts.method == Method::GET)
}

fn unsatisfiable(size: u64) -> Refusal {
    let refusal = Refusal::new(Code::RangeInvalid, format!("The blob has {size} bytes."));
    match HeaderValue::try_from(format!("bytes */{size}")) {
        Ok(value) => refusal.header(CONTENT_RANGE, value),
        Err(_) => refusal,
    }
}

fn described(status: StatusCode, digest: &ContentDigest) -> Answer {
    Answer::new(status).content_type(OCTETS).content_digest(digest.as_str()).takes_ranges()
}
