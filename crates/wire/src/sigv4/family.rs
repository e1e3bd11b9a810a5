//! What AWS answers: code, HTTP status and text, in each family of protocols.
//!
//! Sources: "Common Errors" of the service API references; S3 API Reference, "Error responses"; and what the services are
//! seen to answer: `UnrecognizedClientException` is 400 in awsJson and 403 in restJson, STS and IAM answer `ExpiredToken`
//! (not the `ExpiredTokenException` of their model) with 403.

use super::error::{AuthError, Form, Parameter, ScopeFault};

/// Protocols whose services answer failed authentication alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFamily {
    /// awsJson 1.0 and 1.1, and rpc-v2-cbor.
    Json,
    /// restJson1: the codes of JSON, but 403 where JSON says 400.
    RestJson,
    /// awsQuery.
    Query,
    /// S3's restXml.
    S3,
}

/// What kind of failure it is outside of S3.
#[derive(Clone, Copy)]
enum Kind {
    Missing,
    Incomplete,
    Mismatch,
    UnknownKey,
    ExpiredToken,
}

impl AuthError {
    /// The error code, HTTP status and message that AWS answers with.
    pub fn aws(&self, family: ErrorFamily) -> (&'static str, u16, String) {
        let kind = self.kind();
        match family {
            ErrorFamily::S3 => self.aws_s3(),
            ErrorFamily::Query => {
                let (code, status) = query_code(kind);
                (code, status, self.to_string())
            }
            ErrorFamily::Json => (json_code(kind), 400, self.json_message()),
            ErrorFamily::RestJson => (json_code(kind), 403, self.json_message()),
        }
    }

    fn json_message(&self) -> String {
        match self {
            Self::MissingAuthenticationToken => "Missing Authentication Token".to_owned(),
            other => other.to_string(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::MissingAuthenticationToken => Kind::Missing,
            Self::UnsupportedAlgorithm { .. }
            | Self::MissingParameters { .. }
            | Self::NotKeyValue
            | Self::Repeated { .. }
            | Self::NotText { .. }
            | Self::MalformedCredential { .. }
            | Self::MalformedDate { .. }
            | Self::MalformedExpires(_)
            | Self::MalformedHost
            | Self::SignedHeaderAbsent { .. }
            | Self::MissingContentSha256
            | Self::MalformedContentSha256
            | Self::LimitExceeded { .. } => Kind::Incomplete,
            Self::TwoMechanisms
            | Self::HeadersNotSigned { .. }
            | Self::ContentSha256Mismatch
            | Self::Expired { .. }
            | Self::NotYetCurrent { .. }
            | Self::Scope { .. }
            | Self::SignatureMismatch => Kind::Mismatch,
            Self::UnknownKey | Self::InvalidToken => Kind::UnknownKey,
            Self::ExpiredToken => Kind::ExpiredToken,
        }
    }

    fn aws_s3(&self) -> (&'static str, u16, String) {
        let (code, status, message) = match self {
            Self::MissingAuthenticationToken => ("AccessDenied", 403, "Access Denied"),
            Self::UnsupportedAlgorithm { .. } => (
                "InvalidRequest",
                400,
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            ),
            Self::MissingParameters { form: Form::Header, missing } if missing == &[Parameter::Date] => {
                ("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
            }
            Self::MissingParameters { form, .. } => return malformed(*form, MISSING_HEADER, MISSING_QUERY),
            Self::NotKeyValue => return malformed(Form::Header, MISSING_HEADER, MISSING_QUERY),
            Self::MalformedCredential { form, .. } => return malformed_credential(*form, CREDENTIAL_FORM),
            Self::Scope { form, faults } => return s3_scope(*form, faults),
            Self::MalformedDate { form: Form::Header, .. } => {
                ("AccessDenied", 403, "AWS authentication requires a valid Date or x-amz-date header")
            }
            Self::MalformedDate { form: Form::Query, .. } => (
                "AuthorizationQueryParametersError",
                400,
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
            ),
            Self::MalformedExpires(fault) => return ("AuthorizationQueryParametersError", 400, fault.to_string()),
            Self::HeadersNotSigned { .. } => {
                ("AccessDenied", 403, "There were headers present in the request which were not signed")
            }
            Self::MalformedContentSha256 => ("InvalidArgument", 400, CONTENT_SHA256),
            Self::ContentSha256Mismatch => (
                "XAmzContentSHA256Mismatch",
                400,
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            ),
            Self::Expired { form: Form::Query, .. } => ("AccessDenied", 403, "Request has expired"),
            Self::NotYetCurrent { form: Form::Query, .. } => ("AccessDenied", 403, "Request is not yet valid"),
            Self::Expired { .. } | Self::NotYetCurrent { .. } => (
                "RequestTimeTooSkewed",
                403,
                "The difference between the request time and the current time is too large.",
            ),
            Self::UnknownKey => {
                ("InvalidAccessKeyId", 403, "The AWS Access Key Id you provided does not exist in our records.")
            }
            Self::InvalidToken => ("InvalidToken", 400, "The provided token is malformed or otherwise invalid."),
            Self::ExpiredToken => ("ExpiredToken", 400, "The provided token has expired."),
            Self::SignedHeaderAbsent { .. } | Self::SignatureMismatch => (
                "SignatureDoesNotMatch",
                403,
                "The request signature we calculated does not match the signature you provided. Check your key and \
                 signing method.",
            ),
            Self::TwoMechanisms => return ("InvalidArgument", 400, self.to_string()),
            Self::Repeated { .. }
            | Self::NotText { .. }
            | Self::MalformedHost
            | Self::MissingContentSha256
            | Self::LimitExceeded { .. } => return ("InvalidRequest", 400, self.to_string()),
        };
        (code, status, message.to_owned())
    }
}

const MISSING_HEADER: &str =
    "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
const MISSING_QUERY: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
     X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
const CREDENTIAL_FORM: &str =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
const CONTENT_SHA256: &str = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
     STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.";

const fn query_code(kind: Kind) -> (&'static str, u16) {
    match kind {
        Kind::Missing => ("MissingAuthenticationToken", 403),
        Kind::Incomplete => ("IncompleteSignature", 400),
        Kind::Mismatch => ("SignatureDoesNotMatch", 403),
        Kind::UnknownKey => ("InvalidClientTokenId", 403),
        Kind::ExpiredToken => ("ExpiredToken", 403),
    }
}

const fn json_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Missing => "MissingAuthenticationTokenException",
        Kind::Incomplete => "IncompleteSignatureException",
        Kind::Mismatch => "InvalidSignatureException",
        Kind::UnknownKey => "UnrecognizedClientException",
        Kind::ExpiredToken => "ExpiredTokenException",
    }
}

fn malformed(form: Form, header: &str, query: &str) -> (&'static str, u16, String) {
    match form {
        Form::Header => {
            ("AuthorizationHeaderMalformed", 400, format!("The authorization header is malformed; {header}"))
        }
        Form::Query => ("AuthorizationQueryParametersError", 400, query.to_owned()),
    }
}

fn malformed_credential(form: Form, fault: &str) -> (&'static str, u16, String) {
    malformed(form, fault, &format!("Error parsing the X-Amz-Credential parameter; {fault}"))
}

/// S3 names the first fault only.
fn s3_scope(form: Form, faults: &[ScopeFault]) -> (&'static str, u16, String) {
    let Some(first) = faults.first() else { return malformed_credential(form, CREDENTIAL_FORM) };
    match first {
        ScopeFault::Region(got) if got.is_empty() => {
            malformed_credential(form, "a non-empty region must be provided in the credential.")
        }
        ScopeFault::Region(got) => malformed_credential(form, &format!("the region '{got}' is wrong")),
        ScopeFault::Service { got, expected } => malformed_credential(
            form,
            &format!("incorrect service \"{got}\". This endpoint belongs to \"{expected}\"."),
        ),
        ScopeFault::Terminator(got) => {
            malformed_credential(form, &format!("incorrect terminal \"{got}\". This endpoint uses \"aws4_request\"."))
        }
        ScopeFault::Date { got, signed_at } => {
            let day = super::scope::day(*signed_at);
            let query =
                format!("Invalid credential date \"{got}\". This date is not the same as X-Amz-Date: \"{day}\".");
            malformed(form, "Invalid credential date. Date is not the same as X-Amz-Date.", &query)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorFamily::{Json, Query, RestJson, S3};
    use super::*;

    fn codes(error: &AuthError) -> [(&'static str, u16); 4] {
        [Json, RestJson, Query, S3].map(|family| {
            let (code, status, _) = error.aws(family);
            (code, status)
        })
    }

    #[test]
    fn each_family_has_its_own_code_and_status_for_one_cause() {
        assert_eq!(
            codes(&AuthError::MissingAuthenticationToken),
            [
                ("MissingAuthenticationTokenException", 400),
                ("MissingAuthenticationTokenException", 403),
                ("MissingAuthenticationToken", 403),
                ("AccessDenied", 403),
            ]
        );
        assert_eq!(
            codes(&AuthError::UnknownKey),
            [
                ("UnrecognizedClientException", 400),
                ("UnrecognizedClientException", 403),
                ("InvalidClientTokenId", 403),
                ("InvalidAccessKeyId", 403),
            ]
        );
        assert_eq!(
            codes(&AuthError::SignatureMismatch),
            [
                ("InvalidSignatureException", 400),
                ("InvalidSignatureException", 403),
                ("SignatureDoesNotMatch", 403),
                ("SignatureDoesNotMatch", 403),
            ]
        );
        assert_eq!(
            codes(&AuthError::ExpiredToken),
            [
                ("ExpiredTokenException", 400),
                ("ExpiredTokenException", 403),
                ("ExpiredToken", 403),
                ("ExpiredToken", 400),
            ]
        );
        assert_eq!(
            codes(&AuthError::NotKeyValue),
            [
                ("IncompleteSignatureException", 400),
                ("IncompleteSignatureException", 403),
                ("IncompleteSignature", 400),
                ("AuthorizationHeaderMalformed", 400),
            ]
        );
    }

    #[test]
    fn s3_names_the_header_or_the_query_that_is_malformed() {
        let faults = vec![ScopeFault::Service { got: "ec2".into(), expected: "s3".into() }];
        let error = |form| AuthError::Scope { form, faults: faults.clone() }.aws(S3);
        assert_eq!(
            error(Form::Header),
            (
                "AuthorizationHeaderMalformed",
                400,
                "The authorization header is malformed; incorrect service \"ec2\". This endpoint belongs to \"s3\"."
                    .into()
            )
        );
        assert_eq!(
            error(Form::Query),
            (
                "AuthorizationQueryParametersError",
                400,
                "Error parsing the X-Amz-Credential parameter; incorrect service \"ec2\". This endpoint belongs to \
                 \"s3\"."
                    .into()
            )
        );
    }

    #[test]
    fn the_text_for_a_missing_token_differs_between_json_and_query() {
        assert_eq!(AuthError::MissingAuthenticationToken.aws(Json).2, "Missing Authentication Token");
        assert_eq!(AuthError::MissingAuthenticationToken.aws(Query).2, "Request is missing Authentication Token");
    }
}
