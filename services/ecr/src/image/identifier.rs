//! Which image a request means, and what becomes of those that mean none.

use store::{Store, Versioned};

use super::Manifest;
use crate::Error;
use crate::api::{ImageFailure, ImageFailureCode, ImageIdentifier};
use crate::digest::ContentDigest;
use crate::repository::Found;

/// What an identifier says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// The image of this digest.
    Digest(ContentDigest),
    /// The image that this tag names.
    Tag(String),
    /// The image of this digest, if this tag names it.
    Both(ContentDigest, String),
}

/// Why an identifier means no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    code: ImageFailureCode,
    reason: String,
}

impl Failure {
    pub(crate) fn new(code: ImageFailureCode, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(ImageFailureCode::ImageNotFound, "Requested image not found")
    }

    /// Indexes have the image.
    pub(crate) fn referenced(indexes: &[String]) -> Self {
        let reason = format!("Requested image referenced by manifest list: [{}]", indexes.join(", "));
        Self::new(ImageFailureCode::ImageReferencedByManifestList, reason)
    }

    /// The failure as operations answer it.
    pub(crate) fn of(self, id: ImageIdentifier) -> ImageFailure {
        ImageFailure { image_id: Some(id), failure_code: Some(self.code), failure_reason: Some(self.reason) }
    }
}

/// Reads an identifier.
pub(crate) fn named(id: &ImageIdentifier) -> Result<Named, Failure> {
    let digest = |text: &str| {
        text.parse::<ContentDigest>().map_err(|_| {
            const REASON: &str = "Invalid request parameters: image digest should satisfy the regex \
                                  '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'";
            Failure::new(ImageFailureCode::InvalidImageDigest, REASON)
        })
    };
    match (&id.image_digest, &id.image_tag) {
        (Some(text), None) => Ok(Named::Digest(digest(text)?)),
        (None, Some(tag)) => Ok(Named::Tag(tag.clone())),
        (Some(text), Some(tag)) => Ok(Named::Both(digest(text)?, tag.clone())),
        (None, None) => Err(Failure::new(
            ImageFailureCode::MissingDigestAndTag,
            "Invalid request parameters: both tag and digest cannot be null",
        )),
    }
}

/// Finds the image that is meant.
pub(crate) async fn find(
    store: &Store,
    repository: &Found,
    named: &Named,
) -> Result<Result<Versioned<Manifest>, Failure>, Error> {
    let digest = match named {
        Named::Digest(digest) => digest.clone(),
        Named::Tag(tag) | Named::Both(_, tag) => match super::tag(store, repository, tag).await? {
            Some(found) => found.value.digest,
            None => return Ok(Err(Failure::not_found())),
        },
    };
    if let Named::Both(expected, _) = named
        && *expected != digest
    {
        let reason = "Requested image tag does not match the requested image digest";
        return Ok(Err(Failure::new(ImageFailureCode::ImageTagDoesNotMatchDigest, reason)));
    }
    Ok(super::manifest(store, repository, &digest).await?.ok_or_else(Failure::not_found))
}

/// An identifier of a digest, with the tag that led to it.
pub(crate) fn identifier(digest: &str, tag: Option<&str>) -> ImageIdentifier {
    ImageIdentifier { image_digest: Some(digest.to_owned()), image_tag: tag.map(str::to_owned) }
}
