//! AWS Signature Version 4: who sent this request, and is it what they sent?
//!
//! The server side is two steps, because looking the key up is asynchronous and the body arrives last:
//!
//! 1. [`parse`] reads the `Authorization` header or the presigned query of the *raw* request head, and says which key is
//!    needed and what is to be done with the body ([`BodyRule`]).
//! 2. [`ParsedSignature::verify`] recomputes the signature with the secret, compares in constant time and checks the
//!    body's hash. [`ParsedSignature::check`] alone, before the look-up, is the part that needs no secret.
//!
//! Every refusal is an [`AuthError`]; [`AuthError::aws`] gives the code, status and text that AWS answers in each family
//! of protocols. The client side is [`Signer`].
//!
//! What is asked of a signature, and where that comes from:
//!
//! - The target is never decoded before: `S3` signs the path as it was sent; all other services sign it normalised
//!   (empty, `.` and `..` segments removed) and encoded once more. The scope's service decides, and it must be the service
//!   that the request was routed to. Whoever routes by path must know that `/a/../b` and `/b` have one signature.
//! - A query is decoded (`+` is a blank), encoded anew and sorted by encoded name, then value. Whoever reads the query
//!   must read `+` as a blank too.
//! - `host` is always signed; on HTTP/2 `:authority` supplies it. Every `x-amz-*` header that is present is signed, for
//!   `s3` also `content-md5`. Exempt are `x-amz-content-sha256`, whose value is signed as the payload line, and outside of
//!   `s3` `x-amz-security-token`: some clients add it after signing, and another token means another secret.
//!   `content-type` is not required: AWS documents that it be signed and does not insist on it.
//! - Parameters and headers that decide who is asking may be given once only.
//!
//! Sources: IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests (AWS Signature
//! Version 4)"; AWS's public signing test suite.
//!
//! The chunks of an `aws-chunked` body are a chain of signatures that begins with the head's: [`ChunkChain`]; what they look
//! like is in [`crate::chunked`].
//!
//! Not here: Signature Version 2 and 4A, which are refused by name.

mod canonical;
mod chunk;
mod claim;
mod encode;
mod error;
mod family;
mod form;
mod key;
mod parse;
mod payload;
mod query;
mod scope;
mod secret;
mod sign;
mod signing;
mod verify;

pub(crate) use canonical::SignedPath;
pub use canonical::host;
pub use chunk::ChunkChain;
pub(crate) use claim::claimed_service;
pub(crate) use encode::{decode as decode_query_text, encode_path, encode_text as encode_query_text};
pub use error::{AuthError, ExpiresFault, Form, Parameter, ScopeFault};
pub use family::ErrorFamily;
pub use form::FormSignature;
pub use key::{SigningKey, SigningKeyCache};
pub use parse::{ParsedSignature, parse};
pub use payload::{BodyRule, PayloadHash, StreamingKind};
pub use scope::CredentialScope;
pub use secret::{Credentials, SecretAccessKey};
pub use sign::{SignError, SignableBody, Signer};
pub use signing::Signing;
pub use verify::CLOCK_SKEW_MAX;

/// The one algorithm that is accepted.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last element of every credential scope.
pub const TERMINATOR: &str = "aws4_request";

/// The longest `Authorization` header, in bytes. A hundred header names and a scope fit many times over.
pub const AUTHORIZATION_LENGTH_MAX: usize = 8 * 1024;
/// The longest query string, in bytes: a presigned URL's session token fits with room for the operation's own parameters.
pub const QUERY_LENGTH_MAX: usize = 32 * 1024;
/// The most parameters that a query may have.
pub const QUERY_PARAMETERS_MAX: usize = 2000;
/// The most headers that one signature may cover.
pub const SIGNED_HEADERS_MAX: usize = 100;
/// The longest access key id (IAM: `accessKeyIdType`, 16 to 128 characters).
pub const ACCESS_KEY_ID_LENGTH_MAX: usize = 128;
/// The longest date, region, service or terminator in a scope.
pub const SCOPE_ELEMENT_LENGTH_MAX: usize = 64;
/// The longest session token, in bytes.
pub const SESSION_TOKEN_LENGTH_MAX: usize = 8 * 1024;
/// The longest life of a presigned request, in seconds: seven days.
pub const EXPIRES_SECONDS_MAX: u32 = 604_800;

const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
const X_AMZ_DATE: &str = "x-amz-date";
const X_AMZ_SECURITY_TOKEN: &str = "x-amz-security-token";
