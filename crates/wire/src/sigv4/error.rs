//! Why a request is not let in. Texts are AWS's own; those of S3 are in [`family`](super::family).

use std::fmt;
use std::time::Duration;

use base::Timestamp;

/// Where the signature lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned request.
    Query,
}

/// What a signature must bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the parameters'")]
pub enum Parameter {
    Algorithm,
    Credential,
    Signature,
    SignedHeaders,
    Date,
    Expires,
}

impl Parameter {
    /// The parameter's name in a presigned query.
    pub const fn query_name(self) -> &'static str {
        match self {
            Self::Algorithm => "X-Amz-Algorithm",
            Self::Credential => "X-Amz-Credential",
            Self::Signature => "X-Amz-Signature",
            Self::SignedHeaders => "X-Amz-SignedHeaders",
            Self::Date => "X-Amz-Date",
            Self::Expires => "X-Amz-Expires",
        }
    }
}

/// What is wrong with `X-Amz-Expires`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiresFault {
    /// It is not a decimal number.
    NotANumber,
    /// It is below zero.
    Negative,
    /// It is more than [`EXPIRES_SECONDS_MAX`](super::EXPIRES_SECONDS_MAX).
    TooLarge,
}

impl fmt::Display for ExpiresFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "X-Amz-Expires should be a number",
            Self::Negative => "X-Amz-Expires must be non-negative",
            Self::TooLarge => {
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
                 604800 seconds"
            }
        })
    }
}

/// What is wrong with a credential's scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeFault {
    /// The region is none that is served.
    Region(String),
    /// The request is for another service.
    Service {
        /// As the client signed.
        got: String,
        /// Whom the request reached.
        expected: String,
    },
    /// The last element is not `aws4_request`.
    Terminator(String),
    /// The day is not that of the request's own time.
    Date {
        /// As in the scope.
        got: String,
        /// The request's time.
        signed_at: Timestamp,
    },
}

impl fmt::Display for ScopeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(got) => write!(f, "Credential should be scoped to a valid region, not '{got}'."),
            Self::Service { expected, .. } => {
                write!(f, "Credential should be scoped to correct service: '{expected}'.")
            }
            Self::Terminator(got) => {
                write!(f, "Credential should be scoped with a valid terminator: 'aws4_request', not '{got}'.")
            }
            Self::Date { got, signed_at } => write!(
                f,
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{got}' != \
                 '{}', from '{}'.",
                super::scope::day(*signed_at),
                signed_at.basic()
            ),
        }
    }
}

/// Why a request is not authenticated. [`Display`](fmt::Display) is AWS's text outside of S3; nothing secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Neither header nor query carries a signature.
    #[error("Request is missing Authentication Token")]
    MissingAuthenticationToken,
    /// Header and query, or Versions 2 and 4, at once.
    #[error(
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or \
         the Authorization header should be specified"
    )]
    TwoMechanisms,
    /// Signature Version 2 or 4A, or no signature at all (`Bearer`, `Basic`).
    #[error("Unsupported AWS 'algorithm': '{algorithm}'. Please use AWS4-HMAC-SHA256.")]
    UnsupportedAlgorithm {
        /// The scheme as sent, or `***` where it may be a token.
        algorithm: String,
    },
    /// Parts of the signature are not there.
    #[error("{}", missing_text(.form, .missing))]
    MissingParameters {
        /// Where they were looked for.
        form: Form,
        /// What was not found.
        missing: Vec<Parameter>,
    },
    /// A piece of the `Authorization` header has no `=`, or the header is not ASCII.
    #[error("Invalid key=value pair (missing equal-sign) in Authorization header.")]
    NotKeyValue,
    /// Given more than once, where two could mean two different callers.
    #[error("'{name}' must be given only once.")]
    Repeated {
        /// The header or parameter.
        name: &'static str,
    },
    /// Not readable as text.
    #[error("'{name}' is not text.")]
    NotText {
        /// The header or parameter.
        name: &'static str,
    },
    /// Not five elements of reasonable length.
    #[error(
        "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
    )]
    MalformedCredential {
        /// Where it stood.
        form: Form,
        /// The credential, shortened.
        credential: String,
    },
    /// The time of signing cannot be read.
    #[error("Date must be in ISO-8601 'basic format'. Got '{got}'. See http://en.wikipedia.org/wiki/ISO_8601")]
    MalformedDate {
        /// Where it stood.
        form: Form,
        /// The text, shortened.
        got: String,
    },
    /// `X-Amz-Expires` cannot be used.
    #[error("{0}")]
    MalformedExpires(ExpiresFault),
    /// Several hosts, or none that could be one.
    #[error("The Host header is malformed, repeated, or differs from the authority of the request target.")]
    MalformedHost,
    /// Headers that must be covered by the signature are not.
    #[error("{}", not_signed_text(.names))]
    HeadersNotSigned {
        /// Their names in lower case, sorted.
        names: Vec<String>,
    },
    /// A header that the signature covers is not there.
    #[error("'{name}' is named as a SignedHeader, but it does not exist in the HTTP request.")]
    SignedHeaderAbsent {
        /// Its name in lower case.
        name: String,
    },
    /// The payload's hash was neither declared nor computed.
    #[error("Missing required header for this request: x-amz-content-sha256")]
    MissingContentSha256,
    /// `x-amz-content-sha256` is no hash, nor anything else that this service takes.
    #[error("x-amz-content-sha256 must be a valid sha256 value.")]
    MalformedContentSha256,
    /// The body is not the one that was signed.
    #[error("{SIGNATURE_MISMATCH}")]
    ContentSha256Mismatch,
    /// Signed longer ago than allowed.
    #[error("{}", expired_text(.signed_at, .now, .allowed))]
    Expired {
        /// Header or presigned.
        form: Form,
        /// The time of signing.
        signed_at: Timestamp,
        /// The server's time.
        now: Timestamp,
        /// How old a signature may be.
        allowed: Duration,
    },
    /// Signed further in the future than clocks may differ.
    #[error("{}", not_yet_text(.signed_at, .now))]
    NotYetCurrent {
        /// Header or presigned.
        form: Form,
        /// The time of signing.
        signed_at: Timestamp,
        /// The server's time.
        now: Timestamp,
    },
    /// The scope is not that of this request.
    #[error("{}", faults_text(.faults))]
    Scope {
        /// Header or presigned.
        form: Form,
        /// Everything that is wrong with it.
        faults: Vec<ScopeFault>,
    },
    /// No such access key, or it is inactive, or it needs a session token that was not sent.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// The session token is not one of ours, or belongs to another key.
    #[error("The security token included in the request is invalid.")]
    InvalidToken,
    /// The temporary credentials have expired.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// The signature is another than that of this request under this key.
    #[error("{SIGNATURE_MISMATCH}")]
    SignatureMismatch,
    /// Larger than this server reads.
    #[error("{what} exceeds the limit of {limit}.")]
    LimitExceeded {
        /// What is too large.
        what: &'static str,
        /// How large it may be.
        limit: usize,
    },
}

const SIGNATURE_MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check \
     your AWS Secret Access Key and signing method. Consult the service documentation for details.";

impl AuthError {
    pub(super) fn limit(what: &'static str, size: usize, limit: usize) -> Result<(), Self> {
        if size > limit { Err(Self::LimitExceeded { what, limit }) } else { Ok(()) }
    }
}

fn missing_text(form: &Form, missing: &[Parameter]) -> String {
    let sentence = |parameter: &Parameter| match (form, parameter) {
        (Form::Query, parameter) => format!("AWS query-string parameters must include '{}'. ", parameter.query_name()),
        (Form::Header, Parameter::Date) => {
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ".to_owned()
        }
        (Form::Header, parameter) => format!("Authorization header requires '{parameter:?}' parameter. "),
    };
    let sentences: String = missing.iter().map(sentence).collect();
    match form {
        Form::Header => format!("{sentences}Authorization={}", super::ALGORITHM),
        Form::Query => format!("{sentences}Re-examine the query-string parameters."),
    }
}

fn not_signed_text(names: &[String]) -> String {
    let sentence = |name: &String| match name.as_str() {
        "host" => "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        name => format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
    };
    names.iter().map(sentence).collect::<Vec<_>>().join(" ")
}

fn faults_text(faults: &[ScopeFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn expired_text(signed_at: &Timestamp, now: &Timestamp, allowed: &Duration) -> String {
    let earliest = Timestamp::from_secs(now.as_secs().saturating_sub_unsigned(allowed.as_secs()));
    let (signed_at, earliest, now) = (signed_at.basic(), earliest.basic(), now.basic());
    format!("Signature expired: {signed_at} is now earlier than {earliest} ({now} - {}.)", span(*allowed))
}

fn not_yet_text(signed_at: &Timestamp, now: &Timestamp) -> String {
    let skew = super::CLOCK_SKEW_MAX;
    let (signed_at, latest, now) = (signed_at.basic(), now.plus(skew).basic(), now.basic());
    format!("Signature not yet current: {signed_at} is still later than {latest} ({now} + {}.)", span(skew))
}

fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} sec"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_basic(text).unwrap()
    }

    #[test]
    fn a_skewed_clock_is_told_in_the_words_of_aws() {
        let expired = AuthError::Expired {
            form: Form::Header,
            signed_at: at("20150830T123600Z"),
            now: at("20150830T130000Z"),
            allowed: Duration::from_secs(900),
        };
        assert_eq!(
            expired.to_string(),
            "Signature expired: 20150830T123600Z is now earlier than 20150830T124500Z (20150830T130000Z - 15 min.)"
        );
        let early = AuthError::NotYetCurrent {
            form: Form::Header,
            signed_at: at("20181120T211543Z"),
            now: at("20181120T210028Z"),
        };
        assert_eq!(
            early.to_string(),
            "Signature not yet current: 20181120T211543Z is still later than 20181120T211528Z (20181120T210028Z + 15 min.)"
        );
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        use Parameter::{Credential, Date, Signature, SignedHeaders};
        let missing = vec![Credential, Signature, SignedHeaders, Date];
        assert_eq!(
            AuthError::MissingParameters { form: Form::Header, missing: missing.clone() }.to_string(),
            "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
             Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a \
             'X-Amz-Date' or a 'Date' header. Authorization=AWS4-HMAC-SHA256"
        );
        let query = AuthError::MissingParameters { form: Form::Query, missing }.to_string();
        assert!(query.starts_with("AWS query-string parameters must include 'X-Amz-Credential'. AWS query"), "{query}");
        assert!(query.ends_with("'X-Amz-Date'. Re-examine the query-string parameters."), "{query}");
    }

    #[test]
    fn a_wrong_scope_is_told_in_the_words_of_aws() {
        let faults = vec![
            ScopeFault::Region("mars".into()),
            ScopeFault::Service { got: "es".into(), expected: "ecs".into() },
            ScopeFault::Date { got: "20150829".into(), signed_at: at("20150830T123600Z") },
        ];
        assert_eq!(
            AuthError::Scope { form: Form::Header, faults }.to_string(),
            "Credential should be scoped to a valid region, not 'mars'. Credential should be scoped to correct service: \
             'ecs'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' \
             != '20150830', from '20150830T123600Z'."
        );
    }
}
