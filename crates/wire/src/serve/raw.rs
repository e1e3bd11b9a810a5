//! Routes beside the AWS API: requests and answers whose bodies stream, such as a registry's.
//!
//! Whoever serves them sees the head first and takes the body piece by piece, so nothing large is ever held in memory.

use std::fs::File;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use super::BoxFuture;
use super::body::RequestBody;
use crate::content::Content;

/// Routes that are none of the AWS API's operations.
pub trait Routes: Send + Sync + 'static {
    /// Whose they are, for logs and metrics: `ecr`.
    fn service(&self) -> &'static str;
    /// Whether a request is one of theirs; told from its head.
    fn takes(&self, parts: &Parts) -> bool;
    /// Whether they are asked at the hosts of buckets and their websites, too, where all else is the bucket's. Not where they
    /// go by the path alone.
    fn are_at_hosts_of_buckets(&self) -> bool {
        false
    }
    /// Answers a request. Never fails: whatever goes wrong is an answer.
    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, RawResponse>;
}

/// A request as it came in.
#[derive(Debug)]
pub struct RawRequest {
    /// Its head.
    pub parts: Parts,
    /// Its body, of which nothing has been read.
    pub body: RequestBody,
    /// The request's id, which the answer carries too.
    pub request_id: String,
    /// When it came in.
    pub now: Timestamp,
    /// Where the connection comes from.
    pub source_ip: Option<IpAddr>,
}

/// An answer.
#[derive(Debug)]
pub struct RawResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers. The length is the body's own; only with an empty body that answers HEAD, or of status 304, it is what
    /// stands here.
    pub headers: HeaderMap,
    /// Its body.
    pub body: RawBody,
    /// The route, for logs and metrics: `GetBlob`.
    pub operation: &'static str,
}

/// An answer's body.
#[derive(Debug)]
pub enum RawBody {
    /// None. An answer to HEAD says in its headers how long the body would be.
    Empty,
    /// Bytes in memory.
    Bytes(Bytes),
    /// A part of a file, which is read while it is sent.
    File {
        /// The file, which nobody changes.
        file: File,
        /// From where to where, in bytes.
        range: Range<u64>,
    },
    /// A content, which may be made of many files or be made while it is sent.
    Content(Content),
}
