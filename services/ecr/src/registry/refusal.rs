//! What a client is told when the registry does not do as it was asked: the error codes of OCI Distribution, with Amazon
//! ECR's own words wherever those are known.

use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use store::StoreError;
use wire::serve::BodyError;
use wire::serve::raw::{RawBody, RawResponse};

use crate::Error;
use crate::content::ContentError;
use crate::image::manifest::InvalidManifest;

/// What the errors are called. (OCI Distribution 1.1, "Error Codes"; those that it leaves to registries are the ones of
/// the Docker registry.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    PaginationNumberInvalid,
    RangeInvalid,
    SizeInvalid,
    TagInvalid,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    Unknown,
    Unsupported,
}

impl Code {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::BlobUnknown => "BLOB_UNKNOWN",
            Self::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Self::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Self::Denied => "DENIED",
            Self::DigestInvalid => "DIGEST_INVALID",
            Self::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Self::ManifestInvalid => "MANIFEST_INVALID",
            Self::ManifestUnknown => "MANIFEST_UNKNOWN",
            Self::NameInvalid => "NAME_INVALID",
            Self::NameUnknown => "NAME_UNKNOWN",
            Self::PaginationNumberInvalid => "PAGINATION_NUMBER_INVALID",
            Self::RangeInvalid => "RANGE_INVALID",
            Self::SizeInvalid => "SIZE_INVALID",
            Self::TagInvalid => "TAG_INVALID",
            Self::TooManyRequests => "TOOMANYREQUESTS",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unknown => "UNKNOWN",
            Self::Unsupported => "UNSUPPORTED",
        }
    }

    /// The status that goes with it where nothing else is said.
    fn status(self) -> StatusCode {
        match self {
            Self::BlobUnknown | Self::BlobUploadUnknown | Self::ManifestUnknown | Self::NameUnknown => {
                StatusCode::NOT_FOUND
            }
            Self::Denied => StatusCode::FORBIDDEN,
            Self::RangeInvalid => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unsupported => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// An answer that is an error. Boxed, because most answers are none.
#[derive(Debug)]
pub(super) struct Refusal(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    status: StatusCode,
    message: String,
    detail: Value,
    headers: HeaderMap,
}

impl Refusal {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        let (detail, headers) = (Value::Null, HeaderMap::new());
        Self(Box::new(Parts { code, status: code.status(), message: message.into(), detail, headers }))
    }

    #[must_use]
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    #[must_use]
    pub(super) fn detail(mut self, detail: Value) -> Self {
        self.0.detail = detail;
        self
    }

    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// There is such a resource, but it takes other methods.
    pub(super) fn method(allowed: &'static str) -> Self {
        Self::new(Code::Unsupported, "The operation is unsupported.").header(ALLOW, HeaderValue::from_static(allowed))
    }

    /// It cannot be deleted as long as something has it.
    pub(super) fn in_use(message: impl Into<String>) -> Self {
        Self::new(Code::Unsupported, message).header(ALLOW, HeaderValue::from_static("GET, HEAD"))
    }

    pub(super) fn digest() -> Self {
        Self::new(Code::DigestInvalid, "A digest is the lower-case SHA-256 or SHA-512 of the content.")
    }

    pub(super) fn blob_unknown(digest: &str) -> Self {
        Self::new(Code::BlobUnknown, "The repository has no such blob.").detail(json!({"digest": digest}))
    }

    pub(super) fn manifest_unknown() -> Self {
        Self::new(Code::ManifestUnknown, "Requested image not found")
    }

    pub(super) fn upload_unknown() -> Self {
        Self::new(Code::BlobUploadUnknown, "The repository has no such upload.")
    }

    /// What the caller asked for was not allowed; what kept anybody from deciding is no denial.
    pub(super) fn of_gate(error: &wire::Error) -> Self {
        match error.status {
            500.. => Self::of_service(error),
            _ => Self::new(Code::Denied, error.message.clone()),
        }
    }

    pub(super) fn of_store(error: &StoreError) -> Self {
        Self::of_service(&platform::store_error(error))
    }

    fn of_service(error: &wire::Error) -> Self {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let code = if status == StatusCode::SERVICE_UNAVAILABLE { Code::Unavailable } else { Code::Unknown };
        Self::new(code, error.message.clone()).status(status)
    }

    pub(super) fn of_content(error: &ContentError) -> Self {
        let message = "The disk that holds Pilvi's images is full. Nothing was lost; free some space and try again.";
        match error {
            ContentError::Full => Self::new(Code::Unknown, message).status(StatusCode::INSUFFICIENT_STORAGE),
            ContentError::TooLarge => Self::too_large(),
            ContentError::Mismatch { found } => Self::mismatch(&found.to_string()),
            ContentError::Broken(_) => {
                tracing::error!(%error, "the content of a repository cannot be stored or read");
                Self::new(Code::Unknown, "The service cannot complete the request.")
            }
        }
    }

    pub(super) fn of_body(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Self::new(Code::BlobUploadInvalid, "The request's body ended early."),
            BodyError::TimedOut => Self::new(Code::BlobUploadInvalid, "The request's body did not come in time.")
                .status(StatusCode::REQUEST_TIMEOUT),
            BodyError::TooLarge => Self::too_large(),
        }
    }

    /// A blob is larger than any may be.
    pub(super) fn too_large() -> Self {
        Self::new(Code::SizeInvalid, "The layer is larger than the 52,000 MiB that a layer may have.")
            .status(StatusCode::PAYLOAD_TOO_LARGE)
    }

    fn mismatch(found: &str) -> Self {
        Self::new(Code::DigestInvalid, "The provided digest did not match the uploaded content.")
            .detail(json!({"found": found}))
    }

    /// The answer.
    pub(super) fn answer(self, operation: &'static str) -> RawResponse {
        let Parts { code, status, message, detail, mut headers } = *self.0;
        let mut error = json!({"code": code.as_str(), "message": message});
        if !detail.is_null() {
            error["detail"] = detail;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let body = RawBody::Bytes(json!({"errors": [error]}).to_string().into());
        RawResponse { status, headers, body, operation }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let said = |code| Self::new(code, error.to_string());
        match &error {
            Error::RepositoryNotFound(_) => said(Code::NameUnknown),
            Error::UploadNotFound { .. } => Self::upload_unknown(),
            Error::UploadsMax(_) => said(Code::TooManyRequests),
            Error::InvalidLayer { found, .. } => Self::mismatch(found.as_str()),
            Error::LayersNotFound { digests, .. } | Error::ReferencedImagesNotFound { digests, .. } => {
                said(Code::ManifestBlobUnknown).detail(json!({"digests": digests}))
            }
            Error::Manifest(InvalidManifest::TooLarge) => said(Code::SizeInvalid).status(StatusCode::PAYLOAD_TOO_LARGE),
            Error::Manifest(invalid) => Self::new(Code::ManifestInvalid, invalid.to_string()),
            Error::ImageDigestDoesNotMatch { found, .. } => Self::mismatch(found.as_str()),
            Error::ImageTagExists { .. } | Error::ImageTagsMax(_) => said(Code::TagInvalid),
            Error::ImageNotFound { .. } => Self::manifest_unknown(),
            Error::Content(content) => Self::of_content(content),
            Error::Store(store) => Self::of_store(store),
            _ => said(Code::Unsupported).status(StatusCode::BAD_REQUEST),
        }
    }
}
