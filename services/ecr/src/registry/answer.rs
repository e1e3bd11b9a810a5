//! Answers that are none of an error, and the headers that they have.

use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
};
use http::{HeaderMap, StatusCode};
use wire::serve::raw::{RawBody, RawResponse};

/// The digest of what is answered or was stored.
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// An upload's id.
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");
/// The header by which clients know a registry, and its value.
pub(super) const API_VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("docker-distribution-api-version"), HeaderValue::from_static("registry/2.0"));
/// The media type of what is just bytes.
pub(super) const OCTETS: &str = "application/octet-stream";

/// An answer that is being put together.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: RawBody,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: RawBody::Empty }
    }

    #[must_use]
    pub(super) fn body(self, body: RawBody) -> Self {
        Self { body, ..self }
    }

    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: &str) -> Self {
        // Every value is a digest, a media type, a number or a path, all of them checked; one that could not stand in a
        // header would be left out rather than let it end the header.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(name, value);
        }
        self
    }

    #[must_use]
    pub(super) fn content_type(self, media_type: &str) -> Self {
        self.header(CONTENT_TYPE, media_type)
    }

    /// How long the body would be that does not go with an answer to HEAD.
    #[must_use]
    pub(super) fn length(self, bytes: u64) -> Self {
        self.header(CONTENT_LENGTH, &bytes.to_string())
    }

    /// The digest of the content, which is its entity tag, too.
    #[must_use]
    pub(super) fn content_digest(self, digest: &str) -> Self {
        self.header(CONTENT_DIGEST, digest).header(ETAG, &entity_tag(digest))
    }

    #[must_use]
    pub(super) fn takes_ranges(self) -> Self {
        self.header(ACCEPT_RANGES, "bytes")
    }

    #[must_use]
    pub(super) fn location(self, path: &str) -> Self {
        self.header(LOCATION, path)
    }

    #[must_use]
    pub(super) fn upload(self, id: &str) -> Self {
        self.header(UPLOAD_UUID, id)
    }

    pub(super) fn done(self, operation: &'static str) -> RawResponse {
        RawResponse { status: self.status, headers: self.headers, body: self.body, operation }
    }
}

/// The entity tag of content: its digest never stands for anything else.
pub(super) fn entity_tag(digest: &str) -> String {
    format!("\"{digest}\"")
}

/// Whether the client has the content already: one of the entity tags in its `If-None-Match` is the content's.
pub(super) fn is_known(headers: &HeaderMap, digest: &str) -> bool {
    let own = entity_tag(digest);
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == own || tag == "*")
}
