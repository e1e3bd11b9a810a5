//! Requests and their answers: sent on where they lead, within bounds.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::address::{Address, Origin};
use super::connect::{Connection, Connections, broke_off};
use super::{RemoteError, Said};
use crate::bounded::{self, List};

/// The largest answer to something that went wrong that is read, in bytes.
const COMPLAINT_BYTES_MAX: u64 = 16 * 1024;
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("pilvi/", env!("CARGO_PKG_VERSION")));

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) address: Address,
    pub(super) headers: HeaderMap,
    /// Who asks: told to the origin of the address and to nobody else.
    pub(super) authorization: Option<HeaderValue>,
    pub(super) body: Bytes,
}

/// The head of an answer, with its body still to come.
#[derive(Debug)]
pub(super) struct Answer {
    /// Who gave it, in the end.
    pub(super) origin: Origin,
    pub(super) response: Response<Incoming>,
}

impl Ask {
    pub(super) fn get(address: Address) -> Self {
        Self { method: Method::GET, address, headers: HeaderMap::new(), authorization: None, body: Bytes::new() }
    }

    /// Wants what begins at this byte.
    pub(super) fn start_at(&mut self, from: u64) {
        if from > 0 {
            let range = HeaderValue::from_str(&format!("bytes={from}-"));
            self.headers.insert(header::RANGE, range.expect("digits and `-` make a header"));
        }
    }

    fn request(&self, address: &Address, connection: &Connection, is_home: bool) -> Option<Request<Full<Bytes>>> {
        let origin = &address.origin;
        let uri: Uri = match connection.proxy {
            Some(_) => format!("{origin}{}", address.target).parse().ok()?,
            None => address.target.parse().ok()?,
        };
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        headers.insert(header::HOST, HeaderValue::from_str(&origin.authority()).ok()?);
        headers.insert(header::USER_AGENT, USER_AGENT);
        // What is compressed for the way only would have another digest.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(value) = connection.proxy.clone().flatten() {
            headers.insert(header::PROXY_AUTHORIZATION, value);
        }
        if let Some(value) = self.authorization.clone().filter(|_| is_home) {
            headers.insert(header::AUTHORIZATION, value);
        }
        Some(request)
    }
}

impl Connections {
    /// Sends a request, and sends it on where answers lead.
    ///
    /// # Errors
    /// Whatever keeps it from being answered. Every status but those that lead on is an answer.
    pub(super) async fn exchange(self: &Arc<Self>, ask: &Ask) -> Result<Answer, RemoteError> {
        let mut address = ask.address.clone();
        let may_be_asked = address.origin.encrypted || self.rules.may_be_plain(&address.origin);
        if !may_be_asked {
            return Err(RemoteError::Address { url: address.origin.quoted() });
        }
        let is_followed = matches!(ask.method, Method::GET | Method::HEAD);
        // Who has once led elsewhere does not get to lead back with what is meant for the first.
        let mut is_home = true;
        for _ in 0..=self.config.limits.redirects {
            let response = self.send(ask, &address, is_home).await?;
            if !is_followed || !leads_on(response.status()) {
                return Ok(Answer { origin: address.origin, response });
            }
            let nowhere = || RemoteError::Redirects { host: address.origin.quoted() };
            let location = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
            let next = address.join(location.ok_or_else(nowhere)?)?;
            if !self.rules.may_lead(&address.origin, &next.origin) {
                return Err(nowhere());
            }
            is_home &= next.origin == address.origin;
            address = next;
        }
        Err(RemoteError::Redirects { host: ask.address.origin.quoted() })
    }

    /// Sends a request to one address.
    async fn send(
        self: &Arc<Self>,
        ask: &Ask,
        address: &Address,
        is_home: bool,
    ) -> Result<Response<Incoming>, RemoteError> {
        let origin = &address.origin;
        if let Some(kept) = self.kept(origin) {
            // The other side may have closed it meanwhile; all that is asked here can be asked twice.
            match self.send_over(kept, ask, address, is_home).await {
                Err(RemoteError::Exchange { .. }) => {}
                done => return done,
            }
        }
        let connection = self.connect(origin).await?;
        self.send_over(connection, ask, address, is_home).await
    }

    async fn send_over(
        self: &Arc<Self>,
        mut connection: Connection,
        ask: &Ask,
        address: &Address,
        is_home: bool,
    ) -> Result<Response<Incoming>, RemoteError> {
        let origin = &address.origin;
        let request = ask.request(address, &connection, is_home);
        let request = request.ok_or_else(|| RemoteError::Address { url: origin.quoted() })?;
        let answered = timeout(self.config.timeouts.head, connection.sender.send_request(request)).await;
        let late = || RemoteError::TimedOut { host: origin.quoted(), waiting_for: "to answer" };
        let response = answered.map_err(|_| late())?.map_err(|error| broke_off(origin, error))?;
        self.keep(origin.clone(), connection);
        Ok(response)
    }

    /// Reads a body of at most `bytes_max` bytes, within the time for documents.
    pub(super) async fn read(&self, answer: Answer, bytes_max: u64) -> Result<Bytes, RemoteError> {
        let host = answer.origin.quoted();
        let late = || RemoteError::TimedOut { host: host.clone(), waiting_for: "to send a document" };
        let read = timeout(self.config.timeouts.document, self.collect(answer, bytes_max));
        read.await.map_err(|_| late())?
    }

    async fn collect(&self, answer: Answer, bytes_max: u64) -> Result<Bytes, RemoteError> {
        let too_long = || RemoteError::Length { host: answer.origin.quoted(), what: "a document that is too long" };
        if declared_length(answer.response.headers()).is_some_and(|length| length > bytes_max) {
            return Err(too_long());
        }
        let origin = answer.origin.clone();
        let mut body = answer.response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.piece(&origin, &mut body).await? {
            if (bytes.len() + piece.len()) as u64 > bytes_max {
                return Err(RemoteError::Length { host: origin.quoted(), what: "a document that is too long" });
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.freeze())
    }

    /// The next piece of a body; none at its end.
    pub(super) async fn piece(&self, origin: &Origin, body: &mut Incoming) -> Result<Option<Bytes>, RemoteError> {
        loop {
            let late = || RemoteError::TimedOut { host: origin.quoted(), waiting_for: "to go on" };
            let frame = timeout(self.config.timeouts.idle, body.frame()).await.map_err(|_| late())?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| broke_off(origin, error))?;
            // Trailers tell nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }

    /// What an answer that is no success means.
    pub(super) async fn complaint(&self, answer: Answer, what: &str) -> RemoteError {
        let host = answer.origin.quoted();
        let status = answer.response.status();
        let retry_after = self.retry_after(answer.response.headers());
        let message = match self.read(answer, COMPLAINT_BYTES_MAX).await {
            Ok(body) => said(&body),
            Err(_) => Said::default(),
        };
        match status {
            StatusCode::UNAUTHORIZED => RemoteError::Unauthorized { host, credentials: "what it was shown", message },
            StatusCode::FORBIDDEN => RemoteError::Denied { host, message },
            StatusCode::NOT_FOUND => RemoteError::NotFound { host, what: what.to_owned(), message },
            StatusCode::TOO_MANY_REQUESTS => RemoteError::RateLimited { host, retry_after, message },
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_some() => {
                RemoteError::RateLimited { host, retry_after, message }
            }
            status => RemoteError::Status { host, status: status.as_u16(), message },
        }
    }

    /// How long an answer asks to wait: seconds or a date (RFC 9110, section 10.2.3).
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = Timestamp::parse_http_date(value).ok()?;
        Some(at.since(self.config.clock.now()))
    }
}

fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// The first error of a registry's answer: `{"errors": [{"code": …, "message": …}]}`.
fn said(body: &[u8]) -> Said {
    #[derive(serde::Deserialize)]
    struct Complaint {
        #[serde(default)]
        errors: List<One>,
        /// What token endpoints say.
        #[serde(default)]
        details: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(complaint) = bounded::parse::<Complaint>(body) else { return Said::default() };
    match complaint.errors.0.first() {
        Some(one) if one.message.is_empty() => Said::new(&one.code),
        Some(one) => Said::new(&one.message),
        None => Said::new(complaint.details.as_deref().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_registry_says_is_quoted_and_nothing_else_of_its_answer() {
        let said = |body: &str| said(body.as_bytes()).to_string();
        assert_eq!(said(r#"{"errors":[{"code":"DENIED","message":"not yours"}]}"#), ": not yours");
        assert_eq!(said(r#"{"errors":[{"code":"DENIED"}]}"#), ": DENIED");
        assert_eq!(said(r#"{"details":"incorrect username or password"}"#), ": incorrect username or password");
        assert_eq!(said(r#"{"errors":[{"message":"a\u001b[2Jb\nc\u202e"}]}"#), r": a\u{1b}[2Jb\nc\u{202e}");
        for other in ["", "<html>", "[]", r#"{"errors":null}"#, r#"{"errors":[1]}"#, r#"{"errors":{}}"#] {
            assert_eq!(said(other), "", "{other}");
        }
        assert!(said(&format!(r#"{{"errors":[{{"message":"{}"}}]}}"#, "x".repeat(10_000))).len() < 400);
    }
}
