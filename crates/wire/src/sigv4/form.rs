//! The signature of a browser's form: over its policy alone, as it stands there.
//!
//! Source: S3 API Reference, "Authenticating requests in browser-based uploads using POST".

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::error::{AuthError, Form, ScopeFault};
use super::key::CacheKey;
use super::parse::{Stated, unsupported};
use super::{ALGORITHM, CredentialScope, SESSION_TOKEN_LENGTH_MAX, SecretAccessKey, SigningKey, SigningKeyCache};

/// A signature as a form states it: well-formed, and not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct FormSignature {
    access_key_id: String,
    session_token: Option<String>,
    scope: CredentialScope,
    signature: String,
}

impl FormSignature {
    /// Reads it out of a form's fields, which have small letters.
    ///
    /// # Errors
    /// What keeps it from being one.
    pub fn parse<'f>(field: impl Fn(&str) -> Option<&'f str>) -> Result<Self, AuthError> {
        if let Some(other) = field("x-amz-algorithm").filter(|name| *name != ALGORITHM) {
            return Err(unsupported(other));
        }
        let stated = Stated {
            form: Form::Query,
            credential: field("x-amz-credential").unwrap_or_default(),
            signature: field("x-amz-signature").unwrap_or_default(),
            signed_headers: "",
            date: field("x-amz-date").unwrap_or_default(),
            expires: None,
            session_token: field("x-amz-security-token"),
        };
        AuthError::limit("The session token", stated.session_token.map_or(0, str::len), SESSION_TOKEN_LENGTH_MAX)?;
        let (access_key_id, scope) = stated.scope(stated.signed_at()?)?;
        let (session_token, signature) = (stated.session_token.map(str::to_owned), stated.signature.to_owned());
        Ok(Self { access_key_id, session_token, scope, signature })
    }

    /// Whose key is to be looked up.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// What came along with temporary credentials.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// For which day, region and service it was made.
    pub fn scope(&self) -> &CredentialScope {
        &self.scope
    }

    /// Verifies it. How long it is good for the policy says.
    ///
    /// # Errors
    /// Another service's scope, or another signature.
    pub fn verify(
        &self,
        keys: &SigningKeyCache,
        secret: &SecretAccessKey,
        expected_service: &str,
        policy: &str,
    ) -> Result<(), AuthError> {
        if self.scope.service != expected_service {
            let (got, expected) = (self.scope.service.clone(), expected_service.to_owned());
            return Err(AuthError::Scope { form: Form::Query, faults: vec![ScopeFault::Service { got, expected }] });
        }
        let id = CacheKey::new(&self.access_key_id, secret, &self.scope);
        let known = keys.get(&id);
        let is_known = known.is_some();
        let key = known.unwrap_or_else(|| Arc::new(SigningKey::derive(secret, &self.scope)));
        let expected = key.sign(policy.as_bytes());
        if !bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes())) {
            return Err(AuthError::SignatureMismatch);
        }
        if !is_known {
            keys.insert(id, key);
        }
        Ok(())
    }
}

impl std::fmt::Debug for FormSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormSignature")
            .field("access_key_id", &self.access_key_id)
            .field("session_token", &self.session_token.as_ref().map(|_| "***"))
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of the API reference's example, and its signature.
    const POLICY: &str = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
    const SIGNATURE: &str = "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e";

    fn fields(name: &str) -> Option<&'static str> {
        match name {
            "x-amz-algorithm" => Some(ALGORITHM),
            "x-amz-credential" => Some("AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"),
            "x-amz-date" => Some("20151229T000000Z"),
            "x-amz-signature" => Some(SIGNATURE),
            _ => None,
        }
    }

    #[test]
    fn the_signature_is_that_of_the_api_reference_and_covers_the_policy_and_the_scope() {
        let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let keys = SigningKeyCache::new();
        let signature = FormSignature::parse(fields).unwrap();
        for _ in 0..2 {
            assert_eq!(signature.verify(&keys, &secret, "s3", POLICY), Ok(()));
        }
        assert_eq!(signature.verify(&keys, &secret, "s3", &POLICY[1..]), Err(AuthError::SignatureMismatch));
        assert!(matches!(signature.verify(&keys, &secret, "sqs", POLICY), Err(AuthError::Scope { .. })));
        let other = SecretAccessKey::new("other");
        assert_eq!(signature.verify(&keys, &other, "s3", POLICY), Err(AuthError::SignatureMismatch));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let without = |missing: &'static str, instead: Option<&'static str>| {
            FormSignature::parse(|name| if name == missing { instead } else { fields(name) })
        };
        assert!(matches!(
            without("x-amz-algorithm", Some("AWS4-ECDSA-P256-SHA256")),
            Err(AuthError::UnsupportedAlgorithm { .. })
        ));
        assert!(matches!(without("x-amz-credential", None), Err(AuthError::MalformedCredential { .. })));
        assert!(matches!(without("x-amz-date", Some("20151230T000000Z")), Err(AuthError::Scope { .. })));
        assert!(matches!(without("x-amz-date", None), Err(AuthError::MalformedDate { .. })));
    }
}
