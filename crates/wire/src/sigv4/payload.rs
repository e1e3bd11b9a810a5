//! The body's part in a signature.

use http::request::Parts;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::{AuthError, Form};
use super::query::Query;
use super::{X_AMZ_CONTENT_SHA256, parse};

pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// What the signature says about the body, known before the body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyRule {
    /// The client declared the SHA-256, 64 hexadecimal digits; the body must have it.
    Hex(String),
    /// The body is not covered (S3 only).
    UnsignedPayload,
    /// The body comes in `aws-chunked` pieces (S3 only).
    Streaming(StreamingKind),
    /// Nothing was declared: the body must be buffered and hashed before the signature can be computed.
    Compute,
}

/// How an `aws-chunked` body is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamingKind {
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk carries a signature.
    Signed,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: so does the trailer.
    SignedTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`: only the trailing checksum protects the body.
    UnsignedTrailer,
}

impl StreamingKind {
    /// The value of `x-amz-content-sha256`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signed => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            Self::SignedTrailer => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            Self::UnsignedTrailer => "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Signed, Self::SignedTrailer, Self::UnsignedTrailer].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What the server knows of the body when it verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// The SHA-256 of the whole body as it arrived.
    Computed([u8; 32]),
    /// The body has not been read. Whoever reads it checks it against the [`BodyRule`] before it takes effect.
    Unread,
}

impl PayloadHash {
    /// Hashes a buffered body.
    pub fn of(body: &[u8]) -> Self {
        Self::Computed(Sha256::digest(body).into())
    }
}

impl BodyRule {
    /// Must the whole body be at hand before [`verify`](super::ParsedSignature::verify) is called?
    pub fn needs_body(&self) -> bool {
        matches!(self, Self::Compute)
    }

    /// Does a body with this hash satisfy the rule?
    pub fn admits(&self, hash: [u8; 32]) -> bool {
        match self {
            Self::Hex(declared) => {
                let mut bytes = [0; 32];
                hex::decode_to_slice(declared, &mut bytes).is_ok() && bool::from(bytes.ct_eq(&hash))
            }
            Self::UnsignedPayload | Self::Streaming(_) | Self::Compute => true,
        }
    }

    /// The rule of a request that nobody has signed: its body is as it says, but for signatures, which need a key.
    ///
    /// # Errors
    /// [`AuthError::MalformedContentSha256`], [`AuthError::Repeated`], or [`AuthError::MissingAuthenticationToken`] for chunks
    /// that are signed.
    pub fn of_unsigned(parts: &Parts) -> Result<Self, AuthError> {
        let Some(text) = parse::header_once(&parts.headers, X_AMZ_CONTENT_SHA256)? else {
            return Ok(Self::UnsignedPayload);
        };
        match Self::declared(text, true).ok_or(AuthError::MalformedContentSha256)? {
            Self::Streaming(StreamingKind::Signed | StreamingKind::SignedTrailer) => {
                Err(AuthError::MissingAuthenticationToken)
            }
            rule => Ok(rule),
        }
    }

    /// The rule that a request declares, for the service that its scope names.
    pub(super) fn of_request(parts: &Parts, query: &Query<'_>, form: Form, s3: bool) -> Result<Self, AuthError> {
        let header = parse::header_once(&parts.headers, X_AMZ_CONTENT_SHA256)?;
        let declared = match form {
            Form::Header => header,
            Form::Query => query.once("X-Amz-Content-Sha256")?.or(header),
        };
        match (declared, form) {
            (Some(text), _) => Self::declared(text, s3).ok_or(AuthError::MalformedContentSha256),
            (None, Form::Query) if s3 => Ok(Self::UnsignedPayload),
            (None, Form::Header) if s3 => Err(AuthError::MissingContentSha256),
            (None, _) => Ok(Self::Compute),
        }
    }

    fn declared(text: &str, s3: bool) -> Option<Self> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Some(Self::Hex(text.to_owned()));
        }
        if !s3 {
            return None;
        }
        if text == UNSIGNED_PAYLOAD {
            return Some(Self::UnsignedPayload);
        }
        StreamingKind::parse(text).map(Self::Streaming)
    }

    /// The last line of the canonical request.
    pub(super) fn line(&self, body: PayloadHash) -> Result<String, AuthError> {
        match (self, body) {
            (Self::Hex(declared), _) => Ok(declared.clone()),
            (Self::UnsignedPayload, _) => Ok(UNSIGNED_PAYLOAD.to_owned()),
            (Self::Streaming(kind), _) => Ok(kind.as_str().to_owned()),
            (Self::Compute, PayloadHash::Computed(hash)) => Ok(hex::encode(hash)),
            (Self::Compute, PayloadHash::Unread) => Err(AuthError::MissingContentSha256),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsigned_and_streamed_bodies_are_for_s3_alone() {
        for text in [UNSIGNED_PAYLOAD, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
            assert!(BodyRule::declared(text, true).is_some(), "{text}");
            assert_eq!(BodyRule::declared(text, false), None, "{text}");
        }
        for text in
            ["", "unsigned-payload", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", &"g".repeat(64), &"a".repeat(63)]
        {
            assert_eq!(BodyRule::declared(text, true), None, "{text}");
        }
    }

    #[test]
    fn a_declared_hash_admits_only_its_own_body_in_either_case() {
        let PayloadHash::Computed(hash) = PayloadHash::of(b"body") else { unreachable!() };
        let PayloadHash::Computed(other) = PayloadHash::of(b"bodz") else { unreachable!() };
        let lower = hex::encode(hash);
        for declared in [lower.to_uppercase(), lower] {
            assert!(BodyRule::Hex(declared.clone()).admits(hash));
            assert!(!BodyRule::Hex(declared).admits(other));
        }
    }
}
