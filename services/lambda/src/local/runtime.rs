//! The Runtime API, 2018-06-01: events to the runtime, what the function makes of them back.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use serde_json::json;

use super::answer::{self, Answer};
use super::frame::{Failed, FromEnvironment, InvocationFailed, PIECE_BYTES_MAX, PayloadEnd, ResponseHead, pieces};
use super::state::{Environment, PAYLOAD_BYTES_MAX, Refused};

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";
const ERROR_BODY: &str = "lambda-runtime-function-error-body";
const RESPONSE_MODE: &str = "lambda-runtime-function-response-mode";
const OF_STATE: &str = "InvalidStateTransition";
const CONTENT_TYPE: &str = "application/json";
/// The longest that a function says of an error of its own, in bytes: as long as an answer.
const ERROR_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;

/// The next event, when there is one.
pub(super) async fn next(environment: &Environment) -> Answer {
    let event = match environment.next().await {
        Ok(event) => event,
        Err(refused) => return answer::refused(&refused, OF_STATE),
    };
    let mut given = answer::of_bytes(StatusCode::OK, Some(CONTENT_TYPE), event.payload);
    let invoke = &event.invoke;
    answer::put(&mut given, "lambda-runtime-aws-request-id", &invoke.request_id);
    answer::put(&mut given, "lambda-runtime-deadline-ms", &invoke.deadline_ms.to_string());
    answer::put(&mut given, "lambda-runtime-invoked-function-arn", &invoke.function_arn);
    for (name, value) in [
        ("lambda-runtime-trace-id", &invoke.trace_id),
        ("lambda-runtime-client-context", &invoke.client_context),
        ("lambda-runtime-cognito-identity", &invoke.cognito_identity),
    ] {
        answer::put(&mut given, name, value.as_deref().unwrap_or_default());
    }
    given
}

/// A function's answer, whole or as it comes.
pub(super) async fn response(environment: &Environment, id: &str, request: Request<Incoming>) -> Answer {
    let is_streamed = match request.headers().get(RESPONSE_MODE).map(http::HeaderValue::as_bytes) {
        None | Some(b"") => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"streaming") => true,
        Some(_) => {
            let message = "Invalid function response mode";
            return answer::error(StatusCode::BAD_REQUEST, "InvalidFunctionResponseMode", message);
        }
    };
    if let Err(refused) = environment.answers(id) {
        return answer::refused(&refused, OF_STATE);
    }
    let head = ResponseHead { request_id: id.to_owned(), content_type: content_type(request.headers()), is_streamed };
    let body = request.into_body();
    let sent = if is_streamed { stream(environment, head, body).await } else { whole(environment, head, body).await };
    finish(environment, sent).await
}

/// A function's error.
pub(super) async fn error(environment: &Environment, id: &str, request: Request<Incoming>) -> Answer {
    if let Err(refused) = environment.answers(id) {
        return answer::refused(&refused, OF_STATE);
    }
    let failed = InvocationFailed {
        request_id: id.to_owned(),
        error_type: said(request.headers(), ERROR_TYPE),
        content_type: content_type(request.headers()),
    };
    let sent = match read(request.into_body(), ERROR_BYTES_MAX).await {
        Ok(body) => fail(environment, failed, body).await.map(|()| answer::accepted()),
        Err(unread) => fail(environment, unread.of(id), unread.told()).await.map(|()| unread.answer()),
    };
    finish(environment, sent).await
}

/// The runtime cannot begin.
pub(super) async fn init_error(environment: &Environment, request: Request<Incoming>) -> Answer {
    if let Err(refused) = environment.may_fail_init() {
        return answer::refused(&refused, OF_STATE);
    }
    let error_type = said(request.headers(), ERROR_TYPE);
    let body = match read(request.into_body(), PIECE_BYTES_MAX).await {
        Ok(body) => String::from_utf8_lossy(&body).into_owned(),
        Err(unread) => return unread.answer(),
    };
    match environment.say(FromEnvironment::InitError(Failed { error_type, body })).await {
        Ok(()) => answer::accepted(),
        Err(refused) => answer::refused(&refused, OF_STATE),
    }
}

/// Answers, and lets the environment go on to what comes next.
async fn finish(environment: &Environment, sent: Result<Answer, Refused>) -> Answer {
    match (sent, environment.answered().await) {
        (Ok(answer), Ok(())) => answer,
        (Err(refused), _) | (_, Err(refused)) => answer::refused(&refused, OF_STATE),
    }
}

/// An answer that is sent on once it is known to be whole, and not too long.
async fn whole(environment: &Environment, head: ResponseHead, body: Incoming) -> Result<Answer, Refused> {
    let id = head.request_id.clone();
    match read(body, PAYLOAD_BYTES_MAX).await {
        Ok(payload) => {
            environment.say(FromEnvironment::Response(head)).await?;
            send(environment, &payload).await?;
            Ok(answer::accepted())
        }
        Err(unread) => fail(environment, unread.of(&id), unread.told()).await.map(|()| unread.answer()),
    }
}

/// An answer that is sent on while it comes. What goes wrong on the way is said at its end.
async fn stream(environment: &Environment, head: ResponseHead, mut body: Incoming) -> Result<Answer, Refused> {
    environment.say(FromEnvironment::Response(head)).await?;
    let mut end = PayloadEnd::default();
    let mut trailers = HeaderMap::new();
    loop {
        match body.frame().await {
            None => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    for piece in pieces(&data) {
                        environment.spend(piece.len()).await?;
                        environment.say(FromEnvironment::Payload(piece)).await?;
                    }
                }
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            },
            Some(Err(_)) => {
                end.failed = Some(Unread::Truncated.failed());
                break;
            }
        }
    }
    if end.failed.is_none() && trailers.contains_key(ERROR_TYPE) {
        let body = STANDARD.decode(said(&trailers, ERROR_BODY)).unwrap_or_default();
        let body = String::from_utf8_lossy(&body).into_owned();
        end.failed = Some(Failed { error_type: said(&trailers, ERROR_TYPE), body });
    }
    environment.say(FromEnvironment::PayloadEnd(end)).await?;
    Ok(answer::accepted())
}

async fn fail(environment: &Environment, failed: InvocationFailed, body: Bytes) -> Result<(), Refused> {
    environment.say(FromEnvironment::Error(failed)).await?;
    send(environment, &body).await
}

async fn send(environment: &Environment, payload: &Bytes) -> Result<(), Refused> {
    for piece in pieces(payload) {
        environment.say(FromEnvironment::Payload(piece)).await?;
    }
    environment.say(FromEnvironment::PayloadEnd(PayloadEnd::default())).await
}

/// Why a body is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    TooLarge,
    Truncated,
}

impl Unread {
    fn failed(self) -> Failed {
        let (error_type, message) = match self {
            Self::TooLarge => (
                "Function.ResponseSizeTooLarge",
                format!("Response payload size exceeded maximum allowed payload size ({PAYLOAD_BYTES_MAX} bytes)."),
            ),
            Self::Truncated => ("Runtime.TruncatedResponse", "Response body is truncated.".to_owned()),
        };
        let body = json!({ "errorMessage": message, "errorType": error_type }).to_string();
        Failed { error_type: error_type.to_owned(), body }
    }

    /// As the failure of an event.
    fn of(self, request_id: &str) -> InvocationFailed {
        let content_type = Some(CONTENT_TYPE.to_owned());
        InvocationFailed { request_id: request_id.to_owned(), error_type: self.failed().error_type, content_type }
    }

    fn told(self) -> Bytes {
        Bytes::from(self.failed().body)
    }

    fn answer(self) -> Answer {
        match self {
            Self::TooLarge => answer::too_large(),
            Self::Truncated => {
                let message = "HTTP request detected as truncated";
                answer::error(StatusCode::BAD_REQUEST, "TruncatedHTTPRequest", message)
            }
        }
    }
}

/// A body that is not longer than `bytes_max`. Of one that is the rest is passed over, so that the answer is read.
async fn read(mut body: Incoming, bytes_max: usize) -> Result<Bytes, Unread> {
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut read = BytesMut::with_capacity(expected.min(bytes_max));
    let mut is_too_large = false;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Truncated)?.into_data() else { continue };
        is_too_large |= read.len() + data.len() > bytes_max;
        if !is_too_large {
            read.extend_from_slice(&data);
        }
    }
    if is_too_large { Err(Unread::TooLarge) } else { Ok(read.freeze()) }
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(said(headers, header::CONTENT_TYPE.as_str())).filter(|said| !said.is_empty())
}

/// A header; empty if it is not there, or no text.
fn said(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
