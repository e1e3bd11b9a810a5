//! What a function has answered, as HTTP; and what is answered without it.
//!
//! Source: developer guide, "Response payload format" and "Response streaming: Using Lambda function URLs".

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, SET_COOKIE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use platform::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use wire::content::Pieces;
use wire::serve::raw::{RawBody, RawResponse};
use wire::sigv4::{AuthError, ErrorFamily};

use super::event::TRACE;
use crate::Error;
use crate::executor::{Answered, Piece, Streaming};

const OPERATION: &str = "InvokeFunctionUrl";
/// The type of an answer that begins with its head.
const WITH_HEAD: &str = "application/vnd.awslambda.http-integration-response";
/// What parts such a head from the body.
const SEPARATOR: [u8; 8] = [0; 8];
/// The longest such head, in bytes. (Pilvi's own.)
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// What an answer has that says no other type.
const TYPE_DEFAULT: &str = "application/json";
/// What a stream has that says no other type.
const STREAM_TYPE_DEFAULT: &str = "application/octet-stream";
const FORBIDDEN: &str = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                         https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";

/// Why a request is answered without the function.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No function has this address.
    NoSuchAddress,
    /// The sender may not.
    Forbidden,
    /// There is no room for its body.
    NoRoom,
    /// Something with a code and a text.
    Told(wire::Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Told(error.into())
    }
}

impl From<AuthError> for Refusal {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::MissingAuthenticationToken => Self::Forbidden,
            other => {
                let (code, status, message) = other.aws(ErrorFamily::RestJson);
                Self::Told(wire::Error::new(code, status, message))
            }
        }
    }
}

impl Refusal {
    /// As it is answered.
    pub(super) fn into_response(self) -> RawResponse {
        let (status, code, body) = match self {
            Self::NoSuchAddress => (403, "AccessDeniedException".into(), message(Value::Null)),
            Self::Forbidden => (403, "AccessDeniedException".into(), message(FORBIDDEN.into())),
            Self::NoRoom => (503, "ServiceUnavailableException".into(), message("Service Unavailable".into())),
            Self::Told(error) => {
                let mut body = Map::new();
                body.extend(error.members.into_iter().map(|(name, value)| (name.to_owned(), value)));
                body.insert(error.message_member.to_owned(), error.message.into());
                (error.status, error.code, Value::Object(body))
            }
        };
        let mut headers = json_headers();
        if let Ok(code) = HeaderValue::from_str(&code) {
            headers.insert("x-amzn-errortype", code);
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        RawResponse { status, headers, body: RawBody::Bytes(body.to_string().into()), operation: OPERATION }
    }
}

fn message(text: Value) -> Value {
    Value::Object([("Message".to_owned(), text)].into_iter().collect())
}

/// Headers alone.
pub(super) fn nothing(headers: HeaderMap) -> RawResponse {
    RawResponse { status: StatusCode::OK, headers, body: RawBody::Empty, operation: OPERATION }
}

/// The same for somebody who wants the head alone.
pub(super) fn without_body(mut answer: RawResponse) -> RawResponse {
    if let RawBody::Bytes(bytes) = &answer.body {
        answer.headers.insert(CONTENT_LENGTH, bytes.len().into());
    }
    RawResponse { body: RawBody::Empty, ..answer }
}

/// The same with the trace that it belongs to.
pub(super) fn traced(mut answer: RawResponse, trace: &str) -> RawResponse {
    if let Ok(trace) = HeaderValue::from_str(trace) {
        answer.headers.insert(HeaderName::from_static(TRACE), trace);
    }
    answer
}

/// What a function has answered as a whole.
pub(super) fn buffered(answered: &Answered) -> RawResponse {
    match answered.function_error {
        None => whole(&answered.payload).unwrap_or_else(bad_gateway),
        Some(_) => bad_gateway(),
    }
}

/// What a function answers piece by piece, as soon as its head is known.
pub(super) async fn streamed(mut streaming: Streaming) -> RawResponse {
    let content_type = streaming.content_type.take();
    let has_head = content_type.as_deref().is_some_and(|it| it.starts_with(WITH_HEAD));
    let mut begun = Vec::new();
    loop {
        match streaming.pieces.recv().await {
            Some(Piece::Bytes(bytes)) if !has_head => {
                return stream(plain_head(content_type.as_deref()), bytes, streaming.pieces);
            }
            Some(Piece::Bytes(bytes)) => {
                begun.extend_from_slice(&bytes);
                match separated(&begun) {
                    Some((head, rest)) => {
                        let Some(head) = Head::of_text(head) else { return bad_gateway() };
                        return stream(head, Bytes::copy_from_slice(rest), streaming.pieces);
                    }
                    None if begun.len() > HEAD_BYTES_MAX => return bad_gateway(),
                    None => {}
                }
            }
            Some(Piece::End { error: None, .. }) if !has_head => {
                return plain_head(content_type.as_deref()).with(RawBody::Empty);
            }
            Some(Piece::End { .. }) | None => return bad_gateway(),
        }
    }
}

/// Status and headers that a function has said.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Head {
    /// What an object says; none if it cannot be answered.
    fn of(said: &Map<String, Value>) -> Option<Self> {
        let status = match said.get("statusCode") {
            None => 200,
            Some(Value::Number(number)) => u16::try_from(number.as_u64()?).ok()?,
            Some(Value::String(text)) => text.parse().ok()?,
            Some(_) => return None,
        };
        // Other answers are still to follow one below 200.
        let status = StatusCode::from_u16(status).ok().filter(|status| (200..600).contains(&status.as_u16()))?;
        let mut headers = json_headers();
        if let Some(Value::Object(said)) = said.get("headers") {
            let mut told = HeaderMap::new();
            for (name, value) in said {
                told.append(HeaderName::try_from(name.as_str()).ok()?, header_value(value)?);
            }
            headers.extend(told);
        }
        if let Some(Value::Array(cookies)) = said.get("cookies") {
            for cookie in cookies {
                headers.append(SET_COOKIE, header_value(cookie)?);
            }
        }
        // How the body is sent follows from the body.
        for name in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        Some(Self { status, headers })
    }

    fn of_text(text: &[u8]) -> Option<Self> {
        match serde_json::from_slice(text).ok()? {
            Value::Object(said) => Self::of(&said),
            _ => None,
        }
    }

    fn with(self, body: RawBody) -> RawResponse {
        RawResponse { status: self.status, headers: self.headers, body, operation: OPERATION }
    }
}

fn header_value(value: &Value) -> Option<HeaderValue> {
    match value {
        Value::String(text) => HeaderValue::from_str(text).ok(),
        Value::Number(_) | Value::Bool(_) => HeaderValue::from_str(&value.to_string()).ok(),
        _ => None,
    }
}

/// A whole answer: an object with a status says all, everything else is the body itself.
fn whole(payload: &Bytes) -> Option<RawResponse> {
    let said = match serde_json::from_slice(payload) {
        Ok(Value::Object(said)) if said.contains_key("statusCode") => said,
        Ok(Value::String(text)) => return Some(inferred(text.into())),
        Ok(_) => return Some(inferred(payload.clone())),
        // What begins with its head can be said of an answer that nobody streams, too.
        Err(_) => {
            let (head, rest) = separated(payload)?;
            return Some(Head::of_text(head)?.with(RawBody::Bytes(payload.slice_ref(rest))));
        }
    };
    let head = Head::of(&said)?;
    let text = match said.get("body") {
        None | Some(Value::Null) => return Some(head.with(RawBody::Empty)),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let body = match said.get("isBase64Encoded") {
        Some(Value::Bool(true)) => BASE64.decode(text).ok()?.into(),
        _ => Bytes::from(text),
    };
    Some(head.with(RawBody::Bytes(body)))
}

fn inferred(body: Bytes) -> RawResponse {
    RawResponse { status: StatusCode::OK, headers: json_headers(), body: RawBody::Bytes(body), operation: OPERATION }
}

fn json_headers() -> HeaderMap {
    [(CONTENT_TYPE, HeaderValue::from_static(TYPE_DEFAULT))].into_iter().collect()
}

fn plain_head(content_type: Option<&str>) -> Head {
    let said = content_type.and_then(|said| HeaderValue::from_str(said).ok());
    let content_type = said.unwrap_or(HeaderValue::from_static(STREAM_TYPE_DEFAULT));
    Head { status: StatusCode::OK, headers: [(CONTENT_TYPE, content_type)].into_iter().collect() }
}

/// What stands before the separator, and what follows it.
fn separated(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.windows(SEPARATOR.len()).position(|window| window == SEPARATOR)?;
    Some((&bytes[..at], &bytes[at + SEPARATOR.len()..]))
}

/// The function has failed, or what it says cannot be answered.
fn bad_gateway() -> RawResponse {
    RawResponse {
        status: StatusCode::BAD_GATEWAY,
        headers: json_headers(),
        body: RawBody::Bytes(Bytes::from_static(b"Internal Server Error")),
        operation: OPERATION,
    }
}

fn stream(head: Head, first: Bytes, pieces: mpsc::Receiver<Piece>) -> RawResponse {
    head.with(RawBody::Content(wire::Content::pieces(None, Rest { first, pieces })))
}

/// A stream whose head has been read. Whoever runs the function is told by the end of the channel when nobody reads it any more.
struct Rest {
    first: Bytes,
    pieces: mpsc::Receiver<Piece>,
}

impl Pieces for Rest {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<Bytes>>> {
        Box::pin(async move {
            let first = std::mem::take(&mut self.first);
            if !first.is_empty() {
                return Ok(Some(first));
            }
            loop {
                match self.pieces.recv().await {
                    Some(Piece::Bytes(bytes)) if bytes.is_empty() => {}
                    Some(Piece::Bytes(bytes)) => return Ok(Some(bytes)),
                    Some(Piece::End { error: None, .. }) => return Ok(None),
                    Some(Piece::End { error: Some((kind, _)), .. }) => {
                        return Err(io::Error::other(format!("the function failed while it answered: {kind}")));
                    }
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answered(payload: impl Into<Bytes>) -> RawResponse {
        let (version, payload) = ("$LATEST".to_owned(), payload.into());
        buffered(&Answered { version, payload, function_error: None, log_tail: None })
    }

    fn body(answer: RawResponse) -> Bytes {
        match answer.body {
            RawBody::Bytes(bytes) => bytes,
            RawBody::Empty => Bytes::new(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_object_with_a_status_says_all() {
        let said = json!({
            "statusCode": 201, "body": "aGk=", "isBase64Encoded": true, "cookies": ["a=1", "b=2; Secure"],
            "headers": { "Content-Type": "text/plain", "X-Own": 7, "Transfer-Encoding": "chunked" },
        });
        let told = answered(said.to_string());
        assert_eq!((told.status.as_u16(), &told.headers[CONTENT_TYPE]), (201, &HeaderValue::from_static("text/plain")));
        assert_eq!(told.headers["x-own"], "7");
        assert!(!told.headers.contains_key(TRANSFER_ENCODING));
        assert_eq!(told.headers.get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["a=1", "b=2; Secure"]);
        assert_eq!(body(told), "hi");
        assert_eq!(body(answered(json!({ "statusCode": "204" }).to_string())), "");
    }

    #[test]
    fn everything_else_is_the_body_itself() {
        let told = answered("\"Hello, \\u00e4\"");
        assert_eq!(
            (told.status, &told.headers[CONTENT_TYPE]),
            (StatusCode::OK, &HeaderValue::from_static("application/json"))
        );
        assert_eq!(body(told), "Hello, ä");
        assert_eq!(body(answered("{\"message\":\"x\"}")), "{\"message\":\"x\"}");
        assert_eq!(body(answered("[1, 2]")), "[1, 2]");
        assert_eq!(body(answered("null")), "null");
    }

    #[test]
    fn what_cannot_be_answered_is_a_bad_gateway() {
        for said in [
            json!({ "statusCode": 99 }),
            json!({ "statusCode": 700 }),
            json!({ "statusCode": [] }),
            json!({ "statusCode": 200, "headers": { "a b": "c" } }),
            json!({ "statusCode": 200, "headers": { "a": "b\r\nc: d" } }),
            json!({ "statusCode": 200, "cookies": ["a\r\nb"] }),
            json!({ "statusCode": 200, "body": "%", "isBase64Encoded": true }),
        ] {
            let told = answered(said.to_string());
            assert_eq!(told.status, StatusCode::BAD_GATEWAY, "{said}");
            assert_eq!(body(told), "Internal Server Error");
        }
        assert_eq!(answered("no json").status, StatusCode::BAD_GATEWAY);
    }

    async fn streaming(content_type: Option<&str>, pieces: Vec<Piece>) -> RawResponse {
        let (sender, receiver) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        let content_type = content_type.map(str::to_owned);
        streamed(Streaming { version: "$LATEST".to_owned(), content_type, pieces: receiver }).await
    }

    fn piece(bytes: &'static [u8]) -> Piece {
        Piece::Bytes(Bytes::from_static(bytes))
    }

    fn end(error: Option<&str>) -> Piece {
        Piece::End { error: error.map(|kind| (kind.to_owned(), "{}".to_owned())), log_tail: None }
    }

    async fn read(answer: RawResponse) -> Result<Bytes, wire::ContentError> {
        let RawBody::Content(content) = answer.body else { panic!("no stream") };
        content.into_reader().read_to_end(1024).await
    }

    #[tokio::test]
    async fn a_stream_may_begin_with_its_head_wherever_it_is_cut() {
        let head = br#"{"statusCode":206,"headers":{"x-own":"1"},"cookies":["a=1"]}"#;
        let cut = vec![
            piece(&head[..10]),
            piece(&head[10..]),
            piece(&[0; 5]),
            piece(b"\0\0\0first"),
            piece(b" second"),
            end(None),
        ];
        let told = streaming(Some(WITH_HEAD), cut).await;
        assert_eq!((told.status.as_u16(), &told.headers["x-own"]), (206, &HeaderValue::from_static("1")));
        assert_eq!(told.headers[SET_COOKIE], "a=1");
        assert_eq!(read(told).await.unwrap(), "first second");
        let told = streaming(Some("text/html"), vec![piece(b"<p>"), end(None)]).await;
        assert_eq!(told.headers[CONTENT_TYPE], "text/html");
        assert_eq!(read(told).await.unwrap(), "<p>");
    }

    #[tokio::test]
    async fn a_stream_that_fails_before_its_first_byte_is_a_bad_gateway_and_later_breaks_off() {
        assert_eq!(streaming(None, vec![end(Some("Error"))]).await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(streaming(Some(WITH_HEAD), vec![piece(b"{"), end(None)]).await.status, StatusCode::BAD_GATEWAY);
        assert_eq!(streaming(None, vec![]).await.status, StatusCode::BAD_GATEWAY);
        let told = streaming(None, vec![piece(b"x"), end(Some("Error"))]).await;
        assert_eq!(told.status, StatusCode::OK);
        assert!(read(told).await.is_err());
        let told = streaming(None, vec![piece(b"x")]).await;
        assert!(read(told).await.is_err(), "no end");
    }
}
