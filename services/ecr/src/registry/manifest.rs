//! `/v2/<name>/manifests/<tag or digest>`: pulling, pushing and deleting images.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderName};
use store::Versioned;
use wire::serve::BodyError;
use wire::serve::raw::{RawBody, RawResponse};

use super::answer::{Answer, is_known};
use super::refusal::{Code, Refusal};
use super::route::{TAG_LENGTH_MAX, is_tag};
use super::{Request, blob, digest, header};
use crate::digest::ContentDigest;
use crate::image::delete::{self, Deleted};
use crate::image::manifest::MANIFEST_BYTES_MAX;
use crate::image::push::{Push, TAGS_A_PUSH_MAX, push};
use crate::image::{self, Manifest, pull};
use crate::repository::Found;

/// The longest manifest that is answered from memory; a longer one is sent from its file, so that whoever does not read it
/// takes no room from others.
const ANSWERED_FROM_MEMORY_BYTES: u64 = 64 * 1024;
/// How long a manifest may take to come.
const MANIFEST_TIME_MAX: Duration = Duration::from_secs(60);
/// What the manifest refers to; tells clients that referrers are kept here.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
/// A tag that the manifest was given because the query named it.
const OCI_TAG: HeaderName = HeaderName::from_static("oci-tag");

/// What a path calls an image by.
enum Reference {
    Digest(ContentDigest),
    Tag(String),
}

impl Reference {
    fn of(text: &str) -> Result<Self, Refusal> {
        if text.contains(':') {
            return digest(text).map(Self::Digest);
        }
        if is_tag(text) {
            return Ok(Self::Tag(text.to_owned()));
        }
        Err(no_tag())
    }
}

fn no_tag() -> Refusal {
    const TEXT: &str =
        "A tag is letters, digits, periods, dashes and underscores; it begins with none of the first two";
    Refusal::new(Code::TagInvalid, format!("{TEXT}, and has up to {TAG_LENGTH_MAX} of them."))
}

/// Answers an image's manifest: the image is pulled.
pub(super) async fn get(request: &Request<'_>, name: &str, reference: &str) -> Result<RawResponse, Refusal> {
    let found = find(request, name, reference).await?;
    if is_known(&request.parts.headers, found.name()) {
        return Ok(Answer::new(StatusCode::NOT_MODIFIED).content_digest(found.name()).done("GetManifest"));
    }
    let body = if found.size > ANSWERED_FROM_MEMORY_BYTES {
        let file = blob::open(request.ecr(), found.content, found.size).await;
        let file = file.map_err(|error| Refusal::of_content(&error))?;
        pull::note(request.ecr(), &found, request.ctx.now).await?;
        RawBody::File { file, range: 0..found.size }
    } else {
        RawBody::Bytes(pull::pull(request.ecr(), &found, request.ctx.now).await?)
    };
    Ok(described(&found).body(body).done("GetManifest"))
}

/// Tells of an image without pulling it.
pub(super) async fn head(request: &Request<'_>, name: &str, reference: &str) -> Result<RawResponse, Refusal> {
    let found = find(request, name, reference).await?;
    Ok(described(&found).length(found.size).done("HeadManifest"))
}

fn described(found: &Versioned<Manifest>) -> Answer {
    Answer::new(StatusCode::OK).content_type(&found.media_type).content_digest(found.name())
}

/// Finds an image that can be pulled.
async fn find(request: &Request<'_>, name: &str, reference: &str) -> Result<Arc<Versioned<Manifest>>, Refusal> {
    let name = request.allow(name, &["ecr:BatchGetImage"]).await?;
    Reference::of(reference)?;
    let found = image::look_up(request.ecr(), &name, reference).await?.ok_or_else(Refusal::manifest_unknown)?;
    if found.storage.is_archived {
        return Err(Refusal::new(Code::ManifestUnknown, "Requested image is archived"));
    }
    Ok(found)
}

/// Stores an image's manifest, whose blobs have been uploaded, and lets the tags name it.
pub(super) async fn put(mut request: Request<'_>, name: &str, reference: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:PutImage"]).await?;
    let (digest, tags) = match Reference::of(reference)? {
        Reference::Digest(digest) => (Some(digest), further_tags(&request)?),
        Reference::Tag(tag) => (None, vec![tag]),
    };
    let media_type = header(&request.parts.headers, CONTENT_TYPE).and_then(media_type);
    let bytes = receive(&mut request).await?;
    let is_by_digest = digest.is_some();
    let to_push = Push { bytes: bytes.into(), media_type, digest, tags: tags.clone() };
    let pushed = push(request.ecr(), &repository.name, to_push, request.ctx.now).await?;
    let mut answer = Answer::new(StatusCode::CREATED)
        .location(&format!("/v2/{name}/manifests/{}", pushed.digest))
        .content_digest(pushed.digest.as_str());
    if let Some(subject) = &pushed.manifest.subject {
        answer = answer.header(OCI_SUBJECT, subject.as_str());
    }
    for tag in tags.iter().filter(|_| is_by_digest) {
        answer = answer.header(OCI_TAG, tag);
    }
    Ok(answer.done("PutManifest"))
}

/// The tags that a push by digest gives besides: `?tag=…&tag=…`.
fn further_tags(request: &Request<'_>) -> Result<Vec<String>, Refusal> {
    let mut tags = Vec::new();
    for tag in request.parameters("tag") {
        if !is_tag(&tag) {
            return Err(no_tag());
        }
        if tags.len() == TAGS_A_PUSH_MAX {
            let message = format!("An image can be given {TAGS_A_PUSH_MAX} tags at once.");
            return Err(Refusal::new(Code::TagInvalid, message));
        }
        tags.push(tag.into_owned());
    }
    Ok(tags)
}

/// The media type of a `Content-Type`, without its parameters.
fn media_type(header: &str) -> Option<String> {
    let media_type = header.split(';').next().unwrap_or_default().trim();
    (!media_type.is_empty()).then(|| media_type.to_owned())
}

/// Receives a manifest.
async fn receive(request: &mut Request<'_>) -> Result<Bytes, Refusal> {
    if request.body.declared_length().is_some_and(|length| length > MANIFEST_BYTES_MAX as u64) {
        return Err(too_large());
    }
    let _place = request.registry.manifests.take(request.ctx.account()).await?;
    let read = tokio::time::timeout(MANIFEST_TIME_MAX, request.body.read(MANIFEST_BYTES_MAX)).await;
    read.unwrap_or(Err(BodyError::TimedOut)).map_err(|error| match error {
        BodyError::TooLarge => too_large(),
        BodyError::Incomplete => Refusal::new(Code::ManifestInvalid, "The request's body ended early."),
        BodyError::TimedOut => Refusal::of_body(error),
    })
}

fn too_large() -> Refusal {
    let message = format!("The manifest is larger than {MANIFEST_BYTES_MAX} bytes.");
    Refusal::new(Code::SizeInvalid, message).status(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Deletes an image by its digest, with all its tags, or takes a tag away.
pub(super) async fn delete(request: &Request<'_>, name: &str, reference: &str) -> Result<RawResponse, Refusal> {
    let repository = request.admit(name, &["ecr:BatchDeleteImage"]).await?;
    match remove(request, &repository, Reference::of(reference)?).await? {
        Deleted::Image { .. } | Deleted::Tag { .. } => Ok(Answer::new(StatusCode::ACCEPTED).done("DeleteManifest")),
        Deleted::NotFound => Err(Refusal::manifest_unknown()),
        Deleted::Referenced(indexes) => {
            let message = format!("Requested image referenced by manifest list: [{}]", indexes.join(", "));
            Err(Refusal::in_use(message))
        }
    }
}

async fn remove(request: &Request<'_>, repository: &Found, reference: Reference) -> Result<Deleted, Refusal> {
    let store = &request.ecr().platform.store;
    Ok(match reference {
        Reference::Digest(digest) => delete::image(store, repository, &digest).await?,
        Reference::Tag(tag) => delete::tag(store, repository, &tag, true).await?,
    })
}
