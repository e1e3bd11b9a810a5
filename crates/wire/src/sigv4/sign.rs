//! The other side: signing requests, for presigned URLs, our own clients and tests.

use std::time::Duration;

use base::Timestamp;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use sha2::{Digest, Sha256};

use super::canonical::{Signed, host};
use super::encode::encode;
use super::error::AuthError;
use super::payload::{StreamingKind, UNSIGNED_PAYLOAD};
use super::query::Query;
use super::{
    ALGORITHM, CredentialScope, Credentials, EXPIRES_SECONDS_MAX, SigningKey, X_AMZ_CONTENT_SHA256, X_AMZ_DATE,
    X_AMZ_SECURITY_TOKEN,
};

/// Why a request cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Neither a `Host` header nor an authority in the URI.
    #[error("the request names no host")]
    NoHost,
    /// A life of zero, or of more than seven days.
    #[error("a presigned request lives between 1 second and 7 days")]
    Expires,
    /// The header or URI that would carry the signature cannot hold it.
    #[error("the session token or the signed URI holds characters that HTTP does not carry, or is too long")]
    Unwritable,
    /// This kind of body cannot be signed for this service in this form.
    #[error("only S3 takes bodies that the signature does not cover, and streams them only when the header signs")]
    Body,
    /// What the verifier would refuse too.
    #[error(transparent)]
    Request(#[from] AuthError),
}

/// What the signature is to say of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignableBody<'a> {
    /// The whole body.
    Bytes(&'a [u8]),
    /// Its SHA-256.
    Sha256([u8; 32]),
    /// Nothing (S3 only); what presigned S3 requests usually say.
    Unsigned,
    /// It follows in `aws-chunked` pieces (S3 only).
    Streaming(StreamingKind),
}

/// Signs requests for one region and service at one instant.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// Who signs.
    pub credentials: &'a Credentials,
    /// For which region.
    pub region: &'a str,
    /// The service's signing name.
    pub service: &'a str,
    /// When; the fraction of a second is dropped.
    pub at: Timestamp,
}

impl Signer<'_> {
    /// Adds `host` (if absent), `x-amz-date`, `x-amz-security-token`, for S3 `x-amz-content-sha256`, and
    /// `authorization`. Every header is signed but those that proxies change. Signing anew replaces the old signature.
    ///
    /// # Errors
    /// [`SignError`]; the request is then not to be used.
    pub fn sign(&self, parts: &mut Parts, body: SignableBody<'_>) -> Result<(), SignError> {
        let payload = self.payload(body)?;
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(X_AMZ_CONTENT_SHA256);
        self.begin(parts)?;
        parts.headers.insert(X_AMZ_DATE, header_value(&self.at.basic())?);
        if let Some(token) = &self.credentials.session_token {
            let mut value = header_value(token)?;
            value.set_sensitive(true);
            parts.headers.insert(X_AMZ_SECURITY_TOKEN, value);
        }
        if self.scope().is_s3() {
            parts.headers.insert(X_AMZ_CONTENT_SHA256, header_value(&payload)?);
        }
        let names = signed_names(parts);
        let signature = self.signature(parts, &names, &payload, false)?;
        let authorization = format!(
            "{ALGORITHM} Credential={}, SignedHeaders={}, Signature={signature}",
            self.credential(),
            names.join(";")
        );
        parts.headers.insert(AUTHORIZATION, header_value(&authorization)?);
        Ok(())
    }

    /// Adds the signature to the URI's query. Every header in `parts` but those that proxies change becomes part of it
    /// and must be sent with the URL.
    ///
    /// # Errors
    /// [`SignError`]; the request is then not to be used.
    pub fn presign(&self, parts: &mut Parts, expires: Duration, body: SignableBody<'_>) -> Result<(), SignError> {
        let seconds = expires.as_secs();
        if seconds == 0 || seconds > u64::from(EXPIRES_SECONDS_MAX) {
            return Err(SignError::Expires);
        }
        if matches!(body, SignableBody::Streaming(_)) {
            return Err(SignError::Body);
        }
        let payload = self.payload(body)?;
        parts.headers.remove(AUTHORIZATION);
        parts.headers.remove(X_AMZ_CONTENT_SHA256);
        self.begin(parts)?;
        let names = signed_names(parts);
        let (credential, at, seconds, signed) =
            (self.credential(), self.at.basic(), seconds.to_string(), names.join(";"));
        let mut parameters = vec![
            ("X-Amz-Algorithm", ALGORITHM),
            ("X-Amz-Credential", credential.as_str()),
            ("X-Amz-Date", at.as_str()),
            ("X-Amz-Expires", seconds.as_str()),
            ("X-Amz-SignedHeaders", signed.as_str()),
        ];
        if let Some(token) = &self.credentials.session_token {
            parameters.push(("X-Amz-Security-Token", token));
        }
        if self.scope().is_s3() && payload != UNSIGNED_PAYLOAD {
            parameters.push(("X-Amz-Content-Sha256", &payload));
        }
        append_query(parts, &parameters)?;
        let signature = self.signature(parts, &names, &payload, true)?;
        append_query(parts, &[("X-Amz-Signature", &signature)])
    }

    fn begin(&self, parts: &mut Parts) -> Result<(), SignError> {
        parts.headers.remove(X_AMZ_DATE);
        parts.headers.remove(X_AMZ_SECURITY_TOKEN);
        if !parts.headers.contains_key(HOST) {
            let name = host(parts)?.ok_or(SignError::NoHost)?;
            let name = without_default_port(name, parts.uri.scheme_str());
            parts.headers.insert(HOST, header_value(name)?);
        }
        Ok(())
    }

    fn signature(
        &self,
        parts: &Parts,
        names: &[String],
        payload: &str,
        presigned: bool,
    ) -> Result<String, SignError> {
        let (query, scope) = (Query::parse(parts.uri.query())?, self.scope());
        let signed = Signed { parts, query: &query, presigned, headers: names, payload, scope: &scope, at: self.at };
        let string_to_sign = signed.string_to_sign()?;
        Ok(SigningKey::derive(&self.credentials.secret_access_key, &scope).sign(string_to_sign.as_bytes()))
    }

    fn payload(&self, body: SignableBody<'_>) -> Result<String, SignError> {
        match body {
            SignableBody::Bytes(bytes) => Ok(hex::encode(Sha256::digest(bytes))),
            SignableBody::Sha256(hash) => Ok(hex::encode(hash)),
            SignableBody::Unsigned if self.scope().is_s3() => Ok(UNSIGNED_PAYLOAD.to_owned()),
            SignableBody::Streaming(kind) if self.scope().is_s3() => Ok(kind.as_str().to_owned()),
            SignableBody::Unsigned | SignableBody::Streaming(_) => Err(SignError::Body),
        }
    }

    fn scope(&self) -> CredentialScope {
        CredentialScope::new(self.at, self.region, self.service)
    }

    fn credential(&self) -> String {
        format!("{}/{}", self.credentials.access_key_id, self.scope())
    }
}

/// Everything but what is added after signing, or changed on the way.
fn signed_names(parts: &Parts) -> Vec<String> {
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|name| {
            !matches!(
                *name,
                "authorization" | "connection" | "expect" | "transfer-encoding" | "user-agent" | "x-amzn-trace-id"
            )
        })
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

/// HTTP clients do not send a scheme's own port in `Host`.
fn without_default_port<'a>(authority: &'a str, scheme: Option<&str>) -> &'a str {
    let port = match scheme {
        Some("http") => ":80",
        Some("https") => ":443",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

fn append_query(parts: &mut Parts, parameters: &[(&str, &str)]) -> Result<(), SignError> {
    let mut target = parts.uri.path().to_owned();
    let mut separator = '?';
    if let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) {
        target.push('?');
        target.push_str(query);
        separator = '&';
    }
    for (name, value) in parameters {
        target.push(separator);
        target.push_str(name);
        target.push('=');
        target.push_str(&encode(value.as_bytes()));
        separator = '&';
    }
    let mut uri = parts.uri.clone().into_parts();
    uri.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| SignError::Unwritable)?);
    parts.uri = Uri::from_parts(uri).map_err(|_| SignError::Unwritable)?;
    Ok(())
}

fn header_value(text: &str) -> Result<HeaderValue, SignError> {
    HeaderValue::from_str(text).map_err(|_| SignError::Unwritable)
}
