//! Answers to whoever is within: small ones of JSON, and events.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::state::{PAYLOAD_BYTES_MAX, Refused};

/// An answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// An answer of JSON.
pub(super) fn of_json(status: StatusCode, body: &Value) -> Answer {
    of_bytes(status, Some("application/json"), Bytes::from(body.to_string()))
}

/// An answer of bytes.
pub(super) fn of_bytes(status: StatusCode, content_type: Option<&'static str>, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    if let Some(content_type) = content_type {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    answer
}

/// It was taken.
pub(super) fn accepted() -> Answer {
    of_json(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

/// It was not.
pub(super) fn error(status: StatusCode, error_type: &str, message: impl Into<String>) -> Answer {
    of_json(status, &json!({ "errorMessage": message.into(), "errorType": error_type }))
}

/// Nothing is there.
pub(super) fn not_found() -> Answer {
    of_bytes(StatusCode::NOT_FOUND, Some("text/plain; charset=utf-8"), Bytes::from_static(b"404 page not found\n"))
}

/// What a function says is too long.
pub(super) fn too_large() -> Answer {
    let message = format!("Exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes).");
    error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
}

/// Why somebody does not get what it asked for. `of_state` is what an order that is not kept is called.
pub(super) fn refused(refused: &Refused, of_state: &str) -> Answer {
    let forbidden = |error_type| error(StatusCode::FORBIDDEN, error_type, refused.to_string());
    match refused {
        Refused::State { .. } => forbidden(of_state),
        Refused::RequestId => error(StatusCode::BAD_REQUEST, "InvalidRequestID", refused.to_string()),
        Refused::UnknownExtension(_) => forbidden("Extension.UnknownExtensionIdentifier"),
        Refused::NameTaken => forbidden("Extension.InvalidExtensionState"),
        Refused::TooManyExtensions => forbidden("Extension.TooManyExtensions"),
        Refused::RegistrationClosed => forbidden("Extension.RegistrationClosed"),
        Refused::Closed => error(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Internal Server Error"),
    }
}

/// Adds a header, unless there is nothing to say, or nothing that a header can say.
pub(super) fn put(answer: &mut Answer, name: &'static str, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::from_str(value)) {
        answer.headers_mut().insert(HeaderName::from_static(name), value);
    }
}
