//! The second step: is it so?

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::canonical::Signed;
use super::error::{AuthError, Form, ScopeFault};
use super::key::CacheKey;
use super::payload::PayloadHash;
use super::query::Query;
use super::{ParsedSignature, SecretAccessKey, SigningKey, SigningKeyCache, X_AMZ_CONTENT_SHA256, X_AMZ_SECURITY_TOKEN};

/// How far a client's clock may differ from the server's, and how old a signature in a header may be.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(15 * 60);

impl ParsedSignature {
    /// What can be refused without the secret: the time of signing, and a scope of another service. AWS looks at these
    /// before it looks for the key.
    ///
    /// # Errors
    /// [`AuthError::Expired`], [`AuthError::NotYetCurrent`] or [`AuthError::Scope`].
    pub fn check(&self, now: Timestamp, expected_service: &str) -> Result<(), AuthError> {
        self.check_time(now)?;
        if self.scope.service == expected_service {
            return Ok(());
        }
        let (got, expected) = (self.scope.service.clone(), expected_service.to_owned());
        Err(AuthError::Scope { form: self.form, faults: vec![ScopeFault::Service { got, expected }] })
    }

    /// Verifies the request that was parsed: time and service, the signature under `secret`, and the body's hash.
    ///
    /// With [`PayloadHash::Unread`] the body is not judged; [`BodyRule::admits`](super::BodyRule::admits) does that later.
    ///
    /// # Errors
    /// Whatever of the above does not hold; [`AuthError::MissingContentSha256`] when the body was needed and not read.
    pub fn verify(
        &self,
        parts: &Parts,
        secret: &SecretAccessKey,
        now: Timestamp,
        expected_service: &str,
        body: PayloadHash,
    ) -> Result<(), AuthError> {
        self.check(now, expected_service)?;
        self.verify_under(&SigningKey::derive(secret, &self.scope), parts, body)
    }

    /// The same, with the derived key taken from `keys`, or kept there once it has proved right.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub fn verify_cached(
        &self,
        keys: &SigningKeyCache,
        parts: &Parts,
        secret: &SecretAccessKey,
        now: Timestamp,
        expected_service: &str,
        body: PayloadHash,
    ) -> Result<(), AuthError> {
        self.check(now, expected_service)?;
        let id = CacheKey::new(&self.access_key_id, secret, &self.scope);
        if let Some(key) = keys.get(&id) {
            return self.verify_under(&key, parts, body);
        }
        let key = Arc::new(SigningKey::derive(secret, &self.scope));
        self.verify_under(&key, parts, body)?;
        keys.insert(id, key);
        Ok(())
    }

    /// The canonical request as this server reads it, for a person who looks for the difference. It holds every signed
    /// header, session token included.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), but for the signature.
    pub fn canonical_request(&self, parts: &Parts, body: PayloadHash) -> Result<Vec<u8>, AuthError> {
        self.with_signed(parts, body, |signed| signed.canonical_request())
    }

    fn verify_under(&self, key: &SigningKey, parts: &Parts, body: PayloadHash) -> Result<(), AuthError> {
        check_signed_headers(self, parts)?;
        let expected = key.sign(self.with_signed(parts, body, |signed| signed.string_to_sign())?.as_bytes());
        if !bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Err(AuthError::SignatureMismatch);
        }
        match body {
            PayloadHash::Computed(hash) if !self.body.admits(hash) => Err(AuthError::ContentSha256Mismatch),
            _ => Ok(()),
        }
    }

    fn with_signed<T>(
        &self,
        parts: &Parts,
        body: PayloadHash,
        read: impl FnOnce(&Signed<'_>) -> Result<T, AuthError>,
    ) -> Result<T, AuthError> {
        read(&Signed {
            parts,
            query: &Query::parse(parts.uri.query())?,
            presigned: self.form == Form::Query,
            headers: &self.signed_headers,
            payload: &self.body.line(body)?,
            scope: &self.scope,
            at: self.signed_at,
        })
    }

    fn check_time(&self, now: Timestamp) -> Result<(), AuthError> {
        let (form, signed_at) = (self.form, self.signed_at);
        // Signatures count in seconds: a fraction of the server's clock must not make the boundary a coin toss.
        let now = Timestamp::from_secs(now.as_secs());
        let allowed = self.age_max();
        if signed_at > now.plus(CLOCK_SKEW_MAX) {
            return Err(AuthError::NotYetCurrent { form, signed_at, now });
        }
        if now > signed_at.plus(allowed) || allowed.is_zero() {
            return Err(AuthError::Expired { form, signed_at, now, allowed });
        }
        Ok(())
    }

    /// STS is known to accept a presigned request for 15 minutes whatever its `X-Amz-Expires` (EKS tokens say 60 seconds
    /// and live by it); everybody else takes the parameter at its word.
    fn age_max(&self) -> Duration {
        match self.expires {
            Some(seconds) if self.scope.service != "sts" => Duration::from_secs(u64::from(seconds)),
            _ => CLOCK_SKEW_MAX,
        }
    }
}

/// Is every header covered that must be? See the module's page for which these are.
pub(super) fn check_signed_headers(signature: &ParsedSignature, parts: &Parts) -> Result<(), AuthError> {
    let covered = |name: &str| signature.signed_headers.iter().any(|signed| signed == name);
    let mut names: Vec<String> = parts
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| must_be_signed(signature, name) && !covered(name))
        .map(str::to_owned)
        .collect();
    if !covered("host") {
        names.push("host".to_owned());
    }
    names.sort_unstable();
    if names.is_empty() { Ok(()) } else { Err(AuthError::HeadersNotSigned { names }) }
}

fn must_be_signed(signature: &ParsedSignature, name: &str) -> bool {
    let s3 = signature.scope.is_s3();
    match name {
        X_AMZ_CONTENT_SHA256 => false,
        // In a presigned request the token is a parameter; a header of that name would be somebody else's.
        X_AMZ_SECURITY_TOKEN => s3 || signature.form == Form::Query,
        "content-md5" => s3,
        name => name.starts_with("x-amz-"),
    }
}
