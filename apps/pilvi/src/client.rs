//! Requests of the command line to the running server: one connection a request, plain or on a pinned TLS connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use base::{Clock, SystemClock};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::request::Parts;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use wire::sigv4::{Credentials, SecretAccessKey, SignableBody, Signer};

use crate::locate::Running;
use crate::records::ServerRecord;
use crate::root_key::RootKey;
use crate::tls;

/// How much more than a request's own time a server on this machine may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// An answer's status and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends a request that is complete, and reads the answer to the connection's end: the request asks for it to be closed.
///
/// # Errors
/// No connection, no answer in time, or an answer that is not HTTP.
pub(crate) fn exchange(server: &ServerRecord, request: &[u8], patience: Duration) -> Result<Answer> {
    let (scheme, authority) = server.endpoint.split_once("://").context("the server's record has no endpoint")?;
    let address: SocketAddr = authority.parse().context("the server's record has no endpoint")?;
    let stream = TcpStream::connect_timeout(&address, patience).context("no connection")?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let answer = if scheme == "https" {
        let pin = server.certificate_sha256.clone().context("the server's record has no certificate")?;
        let client = Arc::new(tls::client_of(&pin)?);
        let connection = ClientConnection::new(client, ServerName::from(address.ip()))?;
        ask(StreamOwned::new(connection, stream), request)?
    } else {
        ask(stream, request)?
    };
    read_answer(&answer)
}

fn ask(mut stream: impl Read + Write, request: &[u8]) -> Result<Vec<u8>> {
    // In one piece: a server that answers the first piece of several and closes would have its answer thrown away.
    stream.write_all(request)?;
    stream.flush()?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    if answer.is_empty() {
        read.context("no answer in time")?;
        bail!("the connection was closed without an answer");
    }
    Ok(answer)
}

fn read_answer(answer: &[u8]) -> Result<Answer> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer that is not HTTP")?;
    let head = std::str::from_utf8(&answer[..end]).ok().and_then(|head| head.strip_prefix("HTTP/1.1 "));
    let status = head.and_then(|head| head.get(..3)?.parse().ok()).context("an answer that is not HTTP")?;
    let body = answer[end + 4..].to_vec();
    let length = head.unwrap_or_default().lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    if length.is_some_and(|length| length != body.len()) {
        bail!("the answer broke off");
    }
    Ok(Answer { status, body })
}

/// The AWS API of the running server, as its root.
pub(crate) struct Api {
    server: ServerRecord,
    credentials: Credentials,
}

/// A service that speaks awsJson 1.1: its signing name, and what stands before the dot in `X-Amz-Target`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JsonService {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
}

/// An error that the API answered.
#[derive(Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Api {
    /// The API of a running Pilvi, with the root key that its data directory holds.
    ///
    /// # Errors
    /// When it is starting, or the caller may not read the key.
    pub(crate) fn of(running: &Running) -> Result<Self> {
        let server = running.server.clone().context("Pilvi is starting; try again in a moment")?;
        let key = RootKey::load(&running.dir)?.context("the data directory has no root key")?;
        let credentials = Credentials {
            access_key_id: key.access_key_id,
            secret_access_key: SecretAccessKey::new(key.secret_access_key.reveal()),
            session_token: None,
        };
        Ok(Self { server, credentials })
    }

    /// Calls an operation.
    ///
    /// # Errors
    /// A [`Refusal`] when the API answers an error; else what went wrong on the way.
    pub(crate) fn call(&self, service: JsonService, operation: &str, input: &Value) -> Result<Value> {
        let body = input.to_string().into_bytes();
        let mut parts = self.head(service, operation, body.len())?;
        let at = SystemClock.now();
        let region = self.server.region.as_str();
        let signer = Signer { credentials: &self.credentials, region, service: service.name, at };
        signer.sign(&mut parts, SignableBody::Bytes(&body))?;
        let mut request = format!("{} {} HTTP/1.1\r\n", parts.method, parts.uri).into_bytes();
        for (name, value) in &parts.headers {
            request.extend_from_slice(name.as_str().as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&body);
        let answer = exchange(&self.server, &request, PATIENCE)?;
        if answer.status == 200 {
            return if answer.body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&answer.body)?) };
        }
        Err(refusal(&answer))
    }

    fn head(&self, service: JsonService, operation: &str, length: usize) -> Result<Parts> {
        let authority = self.server.endpoint.split_once("://").map_or("", |(_, authority)| authority);
        let request = http::Request::post("/")
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header(CONTENT_LENGTH, length)
            .header(CONNECTION, "close")
            .header("x-amz-target", format!("{}.{operation}", service.target))
            .body(())?;
        Ok(request.into_parts().0)
    }
}

fn refusal(answer: &Answer) -> anyhow::Error {
    let Ok(error) = serde_json::from_slice::<Value>(&answer.body) else {
        return anyhow!("the server answered {}", answer.status);
    };
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    Refusal { code: text("__type"), message: text("message") }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_broke_off_is_none() {
        assert!(read_answer(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab").is_err());
        assert!(read_answer(b"SSH-2.0-OpenSSH\r\n\r\n").is_err());
        let answer = read_answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nab").unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, b"ab".as_slice()));
    }

    #[test]
    fn a_refusal_is_told_by_code_and_message() {
        let body = br#"{"__type":"ResourceNotFoundException","message":"The specified log group does not exist."}"#;
        let error = refusal(&Answer { status: 400, body: body.to_vec() });
        assert_eq!(error.to_string(), "The specified log group does not exist. (ResourceNotFoundException)");
        assert_eq!(refusal(&Answer { status: 502, body: b"<html>".to_vec() }).to_string(), "the server answered 502");
    }
}
