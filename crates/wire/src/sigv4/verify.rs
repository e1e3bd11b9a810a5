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
use super::{
    ChunkChain, ParsedSignature, SecretAccessKey, SigningKey, SigningKeyCache, X_AMZ_CONTENT_SHA256,
    X_AMZ_SECURITY_TOKEN,
};

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

    /// The chain of signatures that the chunks of this request's body continue. To be asked for once the request is verified.
    pub fn chunk_chain(&self, keys: &SigningKeyCache, secret: &SecretAccessKey) -> ChunkChain {
        let known = keys.get(&CacheKey::new(&self.access_key_id, secret, &self.scope));
        let key = known.unwrap_or_else(|| Arc::new(SigningKey::derive(secret, &self.scope)));
        ChunkChain::new(key, &self.scope, self.signed_at, self.signature.clone())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{BodyRule, Credentials, SignableBody, Signer, parse};

    const SIGNED_AT: i64 = 1_440_938_160;

    fn credentials() -> Credentials {
        Credentials {
            access_key_id: "AKID".into(),
            secret_access_key: SecretAccessKey::new("secret"),
            session_token: None,
        }
    }

    fn unsigned() -> Parts {
        http::Request::builder().method("POST").uri("http://localhost:4566/").body(()).unwrap().into_parts().0
    }

    fn signed(service: &str, body: SignableBody<'_>) -> Parts {
        let (credentials, mut parts) = (credentials(), unsigned());
        let at = Timestamp::from_secs(SIGNED_AT);
        Signer { credentials: &credentials, region: "us-east-1", service, at }.sign(&mut parts, body).unwrap();
        parts
    }

    fn presigned(service: &str, seconds: u64) -> Parts {
        let (credentials, mut parts) = (credentials(), unsigned());
        let at = Timestamp::from_secs(SIGNED_AT);
        let body = if service == "s3" { SignableBody::Unsigned } else { SignableBody::Bytes(b"") };
        Signer { credentials: &credentials, region: "us-east-1", service, at }
            .presign(&mut parts, Duration::from_secs(seconds), body)
            .unwrap();
        parts
    }

    fn verdict(parts: &Parts, service: &str, later_ms: i64, body: PayloadHash) -> Result<(), AuthError> {
        let now = Timestamp::from_millis(SIGNED_AT * 1000 + later_ms);
        parse(parts).unwrap().verify(parts, &SecretAccessKey::new("secret"), now, service, body)
    }

    fn is_expired(result: &Result<(), AuthError>) -> bool {
        matches!(result, Err(AuthError::Expired { .. }))
    }

    #[test]
    fn a_header_is_good_for_fifteen_minutes_before_and_after_its_time() {
        let parts = signed("ecs", SignableBody::Bytes(b""));
        let at = |later_ms| verdict(&parts, "ecs", later_ms, PayloadHash::of(b""));
        for within in [-900_000, -1, 0, 900_000, 900_999] {
            assert_eq!(at(within), Ok(()), "{within}");
        }
        assert!(is_expired(&at(901_000)));
        assert!(matches!(at(-901_000), Err(AuthError::NotYetCurrent { .. })));
        assert_eq!(
            at(1_440_000).unwrap_err().to_string(),
            "Signature expired: 20150830T123600Z is now earlier than 20150830T124500Z (20150830T130000Z - 15 min.)"
        );
    }

    #[test]
    fn a_presigned_request_lives_as_long_as_it_says_and_with_sts_always_fifteen_minutes() {
        let (short, long, token) = (presigned("s3", 60), presigned("s3", 604_800), presigned("sts", 60));
        let at = |parts, service, seconds: i64| verdict(parts, service, seconds * 1000, PayloadHash::of(b""));
        assert_eq!(at(&short, "s3", 60), Ok(()));
        assert!(is_expired(&at(&short, "s3", 61)));
        assert_eq!(at(&short, "s3", -900), Ok(()));
        assert!(matches!(at(&short, "s3", -901), Err(AuthError::NotYetCurrent { .. })));
        assert_eq!(at(&long, "s3", 604_800), Ok(()));
        assert!(is_expired(&at(&long, "s3", 604_801)));
        assert_eq!(at(&token, "sts", 900), Ok(()));
        assert!(is_expired(&at(&token, "sts", 901)));
    }

    #[test]
    fn a_life_of_zero_seconds_is_over_before_it_begins() {
        let parts = presigned("s3", 60);
        let mut parsed = parse(&parts).unwrap();
        parsed.expires = Some(0);
        assert!(is_expired(&parsed.check(Timestamp::from_secs(SIGNED_AT), "s3")));
    }

    #[test]
    fn a_signature_for_one_service_does_not_open_another() {
        let parts = signed("es", SignableBody::Bytes(b""));
        let error = verdict(&parts, "ecs", 0, PayloadHash::of(b"")).unwrap_err();
        assert_eq!(error.to_string(), "Credential should be scoped to correct service: 'ecs'.");
    }

    #[test]
    fn another_body_is_refused_whether_its_hash_was_declared_or_not() {
        let (ecs, s3) = (signed("ecs", SignableBody::Bytes(b"body")), signed("s3", SignableBody::Bytes(b"body")));
        assert_eq!(verdict(&ecs, "ecs", 0, PayloadHash::of(b"body")), Ok(()));
        assert_eq!(verdict(&ecs, "ecs", 0, PayloadHash::of(b"bodz")), Err(AuthError::SignatureMismatch));
        assert_eq!(verdict(&ecs, "ecs", 0, PayloadHash::Unread), Err(AuthError::MissingContentSha256));
        assert_eq!(verdict(&s3, "s3", 0, PayloadHash::of(b"body")), Ok(()));
        assert_eq!(verdict(&s3, "s3", 0, PayloadHash::of(b"bodz")), Err(AuthError::ContentSha256Mismatch));
        assert_eq!(verdict(&s3, "s3", 0, PayloadHash::Unread), Ok(()), "the reader of the body judges it");
    }

    #[test]
    fn an_unsigned_body_may_be_any_and_its_marker_may_not_be_swapped() {
        let mut parts = signed("s3", SignableBody::Unsigned);
        assert_eq!(parse(&parts).unwrap().body_rule(), &BodyRule::UnsignedPayload);
        assert_eq!(verdict(&parts, "s3", 0, PayloadHash::of(b"anything")), Ok(()));
        parts.headers.insert(X_AMZ_CONTENT_SHA256, "STREAMING-UNSIGNED-PAYLOAD-TRAILER".parse().unwrap());
        assert_eq!(verdict(&parts, "s3", 0, PayloadHash::Unread), Err(AuthError::SignatureMismatch));
    }

    #[test]
    fn a_presigned_hash_of_the_body_binds_the_body() {
        let (credentials, mut parts) = (credentials(), unsigned());
        let at = Timestamp::from_secs(SIGNED_AT);
        let signer = Signer { credentials: &credentials, region: "us-east-1", service: "s3", at };
        signer.presign(&mut parts, Duration::from_secs(60), SignableBody::Bytes(b"body")).unwrap();
        assert_eq!(verdict(&parts, "s3", 0, PayloadHash::of(b"body")), Ok(()));
        assert_eq!(verdict(&parts, "s3", 0, PayloadHash::of(b"bodz")), Err(AuthError::ContentSha256Mismatch));
    }

    #[test]
    fn a_header_slipped_in_between_the_two_steps_is_still_refused() {
        let mut parts = signed("ecs", SignableBody::Bytes(b""));
        let parsed = parse(&parts).unwrap();
        parts.headers.insert("x-amz-target", "Evil".parse().unwrap());
        let now = Timestamp::from_secs(SIGNED_AT);
        let verdict = parsed.verify(&parts, &SecretAccessKey::new("secret"), now, "ecs", PayloadHash::of(b""));
        assert_eq!(verdict, Err(AuthError::HeadersNotSigned { names: vec!["x-amz-target".into()] }));
    }

    #[test]
    fn on_http_2_the_authority_stands_in_for_the_host_header() {
        let mut parts = signed("ecs", SignableBody::Bytes(b""));
        assert_eq!(parts.headers.remove("host").unwrap(), "localhost:4566");
        assert_eq!(verdict(&parts, "ecs", 0, PayloadHash::of(b"")), Ok(()));
        parts.uri = "http://localhost:4567/".parse().unwrap();
        assert_eq!(verdict(&parts, "ecs", 0, PayloadHash::of(b"")), Err(AuthError::SignatureMismatch));
    }

    #[test]
    fn the_canonical_request_can_be_shown_to_whoever_looks_for_the_difference() {
        let parts = signed("ecs", SignableBody::Bytes(b""));
        let shown = parse(&parts).unwrap().canonical_request(&parts, PayloadHash::of(b"")).unwrap();
        assert_eq!(
            String::from_utf8(shown).unwrap(),
            "POST\n/\n\nhost:localhost:4566\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
