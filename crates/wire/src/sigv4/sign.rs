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
            let name = header_value(host(parts)?.ok_or(SignError::NoHost)?)?;
            parts.headers.insert(HOST, name);
        }
        Ok(())
    }

    fn signature(&self, parts: &Parts, names: &[String], payload: &str, presigned: bool) -> Result<String, SignError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{PayloadHash, SecretAccessKey, parse};

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKID".into(),
            secret_access_key: SecretAccessKey::new("secret"),
            session_token: Some("token".into()),
        }
    }

    fn parts(uri: &str) -> Parts {
        http::Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    fn signer<'a>(credentials: &'a Credentials, service: &'a str) -> Signer<'a> {
        Signer { credentials, region: "us-east-1", service, at: Timestamp::from_millis(1_440_938_160_789) }
    }

    #[test]
    fn a_request_signed_twice_carries_one_signature() {
        let (credentials, mut parts) = (credentials(), parts("http://localhost:4566/?Action=x"));
        signer(&credentials, "iam").sign(&mut parts, SignableBody::Bytes(b"")).unwrap();
        let once = parts.headers.clone();
        signer(&credentials, "iam").sign(&mut parts, SignableBody::Bytes(b"")).unwrap();
        assert_eq!(parts.headers, once);
        let parsed = parse(&parts).unwrap();
        let verdict =
            parsed.verify(&parts, &credentials.secret_access_key, parsed.signed_at(), "iam", PayloadHash::of(b""));
        assert_eq!((verdict, parsed.session_token()), (Ok(()), Some("token")));
    }

    #[test]
    fn the_port_of_a_scheme_is_not_part_of_the_host() {
        let credentials = credentials();
        for (uri, expected) in [
            ("http://a.example:80/", "a.example"),
            ("https://a.example:443/", "a.example"),
            ("http://a.example:443/", "a.example:443"),
            ("https://a.example:8443/", "a.example:8443"),
        ] {
            let mut parts = parts(uri);
            signer(&credentials, "ecs").sign(&mut parts, SignableBody::Bytes(b"")).unwrap();
            assert_eq!(parts.headers["host"], expected, "{uri}");
        }
    }

    #[test]
    fn what_cannot_be_signed_is_said() {
        let credentials = credentials();
        let sign = |uri, service, body| signer(&credentials, service).sign(&mut parts(uri), body);
        assert_eq!(sign("/", "ecs", SignableBody::Bytes(b"")), Err(SignError::NoHost));
        assert_eq!(sign("http://a/", "ecs", SignableBody::Unsigned), Err(SignError::Body));
        let presign = |seconds, body| {
            signer(&credentials, "s3").presign(&mut parts("http://a/"), Duration::from_secs(seconds), body)
        };
        assert_eq!(presign(0, SignableBody::Unsigned), Err(SignError::Expires));
        assert_eq!(presign(604_801, SignableBody::Unsigned), Err(SignError::Expires));
        assert_eq!(presign(60, SignableBody::Streaming(StreamingKind::Signed)), Err(SignError::Body));
        let odd = Credentials { session_token: Some("a\nb".into()), ..credentials.clone() };
        let result = signer(&odd, "ecs").sign(&mut parts("http://a/"), SignableBody::Bytes(b""));
        assert_eq!(result, Err(SignError::Unwritable));
    }
}
