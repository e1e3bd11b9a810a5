//! One request that goes to the routes beside the API, from its head to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::Incoming;

use super::answer::AnswerBody;
use super::body::{Arriving, RequestBody};
use super::link::Link;
use super::raw::{RawBody, RawRequest, RawResponse, Routes};
use super::room::Place;
use super::streams::Stream;
use super::{Backend, Outcome, Server};

/// What of a request's head bears on its answer.
struct Asked {
    is_head: bool,
    version: Version,
    expects_continue: bool,
    request_id: String,
}

impl<B: Backend> Server<B> {
    /// Lets `routes` answer. The handler runs in a task of its own: a client that goes away does not cut it off half-way.
    pub(super) async fn answer_routed(
        &self,
        routes: Arc<dyn Routes>,
        request: Request<Incoming>,
        source_ip: Option<IpAddr>,
        link: Arc<Link>,
        stream: Option<Stream>,
    ) -> http::Response<AnswerBody> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let asked = Asked {
            is_head: parts.method == Method::HEAD,
            version: parts.version,
            expects_continue: parts.headers.contains_key(EXPECT),
            request_id: self.backend.request_id(),
        };
        let body = Arriving::new(body, asked.is_http_1());
        let (body, rest) = RequestBody::incoming(body, self.limits.body_timeout);
        let (request_id, now) = (asked.request_id.clone(), self.backend.now());
        let service = routes.service();
        let handler = tokio::spawn(async move {
            // Also of a client that has gone away: its place is taken until its handler has ended.
            let _stream = stream;
            routes.answer(RawRequest { parts, body, request_id, now, source_ip }).await
        });
        let answer = handler.await.unwrap_or_else(|panic| {
            tracing::error!(request_id = %asked.request_id, %panic, "a handler panicked");
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        });
        let operation = answer.operation;
        let mut response = self.routed_response(answer, &asked, link.clone());
        if !rest.leaves_connection(asked.is_http_1(), asked.expects_continue) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            link.set_unread(true);
        }
        let (status, duration) = (response.status().as_u16(), started.elapsed());
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(request_id = %asked.request_id, service, operation, status, micros, "request");
        (self.observer)(&Outcome { service, operation, status, duration });
        response
    }

    fn routed_response(&self, answer: RawResponse, asked: &Asked, link: Arc<Link>) -> http::Response<AnswerBody> {
        let mut place = Place::default();
        let answer = match &answer.body {
            RawBody::Bytes(bytes) if self.answers.grow(&mut place, bytes.len()).is_err() => {
                RawResponse { operation: answer.operation, ..empty(StatusCode::SERVICE_UNAVAILABLE) }
            }
            _ => answer,
        };
        let RawResponse { status, mut headers, body, operation: _ } = answer;
        let length = match &body {
            RawBody::Empty => None,
            RawBody::Bytes(bytes) => Some(bytes.len() as u64),
            RawBody::File { range, .. } => Some(range.end.saturating_sub(range.start)),
            RawBody::Content(content) => content.length(),
        };
        // Whatever frames the body follows from the body.
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONNECTION);
        match length {
            Some(length) => drop(headers.insert(CONTENT_LENGTH, length.into())),
            None if asked.is_head || status == StatusCode::NOT_MODIFIED => {}
            None => drop(headers.remove(CONTENT_LENGTH)),
        }
        if let Ok(id) = HeaderValue::from_str(&asked.request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        let is_bodiless = asked.is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let body = match body {
            RawBody::Bytes(bytes) if !is_bodiless => AnswerBody::new(bytes, place),
            RawBody::Content(content) if !is_bodiless => AnswerBody::content(content, asked.is_http_1(), link),
            RawBody::File { file, range } if !is_bodiless => AnswerBody::file(file, range, asked.is_http_1(), link),
            _ => AnswerBody::new(Bytes::new(), Place::default()),
        };
        let mut response = http::Response::new(body);
        (*response.status_mut(), *response.headers_mut()) = (status, headers);
        response
    }
}

impl Asked {
    fn is_http_1(&self) -> bool {
        self.version <= Version::HTTP_11
    }
}

fn empty(status: StatusCode) -> RawResponse {
    RawResponse { status, headers: HeaderMap::new(), body: RawBody::Empty, operation: "" }
}
