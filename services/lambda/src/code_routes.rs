//! Code, at the addresses by which GetFunction and GetLayerVersion hand it out.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use platform::BoxFuture;
use wire::serve::raw::{RawBody, RawRequest, RawResponse, Routes};

use crate::Lambda;
use crate::code::location::{self, CodeLocation, PREFIX};

const OPERATION: &str = "GetCode";

/// What answers at them.
#[derive(Debug, Clone)]
pub struct CodeRoutes {
    lambda: Lambda,
}

impl CodeRoutes {
    /// The code of a service's functions and layers.
    pub fn new(lambda: Lambda) -> Self {
        Self { lambda }
    }
}

impl Routes for CodeRoutes {
    fn service(&self) -> &'static str {
        "lambda"
    }

    fn takes(&self, parts: &Parts) -> bool {
        parts.uri.path().starts_with(PREFIX)
    }

    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, RawResponse> {
        Box::pin(async move {
            if request.parts.method != Method::GET && request.parts.method != Method::HEAD {
                return refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
            }
            let Some(found) = CodeLocation::open(&self.lambda.platform, request.parts.uri.path()) else {
                return refused(StatusCode::FORBIDDEN, "AccessDenied");
            };
            match location::content(&self.lambda, &found).await {
                Ok(content) => archive(&found, content),
                Err(error) => {
                    // The function may have been deleted, and its code with it.
                    tracing::info!(digest = %found.digest, %error, "code that was handed out cannot be opened");
                    refused(StatusCode::NOT_FOUND, "NoSuchKey")
                }
            }
        })
    }
}

fn archive(found: &CodeLocation, content: wire::Content) -> RawResponse {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::CONTENT_LENGTH, found.size.into());
    RawResponse { status: StatusCode::OK, headers, body: RawBody::Content(content), operation: OPERATION }
}

/// An error as S3 has it, where AWS keeps code.
fn refused(status: StatusCode, code: &'static str) -> RawResponse {
    let message = match status {
        StatusCode::FORBIDDEN => "Access Denied",
        StatusCode::NOT_FOUND => "The specified key does not exist.",
        _ => "The specified method is not allowed against this resource.",
    };
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    RawResponse { status, headers, body: RawBody::Bytes(text.into()), operation: OPERATION }
}
