//! Requests as the bytes that go over the wire, signed ahead of the measurement.
//!
//! A signature is good for 15 minutes and its time has whole seconds, so requests signed before a run of a few seconds
//! are what a client would have sent then. Signing in the loop would measure the client.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use http::header::CONTENT_TYPE;
use http::{HeaderName, Method, Request};
use wire::sigv4::{Credentials, SignableBody, Signer};

/// The header that names an operation of the JSON protocols.
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// A request that is not signed yet: `POST /`, as the AWS JSON and query protocols have it.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    /// The signing name of the service.
    pub(crate) service: &'static str,
    /// `X-Amz-Target`, in the JSON protocols.
    pub(crate) target: Option<&'static str>,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Plain {
    /// GetCallerIdentity: what a server is asked first.
    pub(crate) fn identity() -> Self {
        Self {
            service: "sts",
            target: None,
            content_type: "application/x-www-form-urlencoded; charset=utf-8",
            body: "Action=GetCallerIdentity&Version=2011-06-15".to_owned(),
        }
    }
}

/// Who signs, and for which server.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Credentials,
    pub(crate) region: String,
}

/// A request of a service that is bound to HTTP, as S3's are; not signed yet.
#[derive(Debug, Clone)]
pub(crate) struct Bound<'a> {
    /// The signing name of the service.
    pub(crate) service: &'static str,
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: &'a str,
    pub(crate) headers: &'a [(HeaderName, &'a str)],
    /// What the signature says of the body.
    pub(crate) body: SignableBody<'a>,
    /// How many bytes the body has.
    pub(crate) length: u64,
}

impl Caller {
    /// Head and body, signed at this instant.
    pub(crate) fn sign(&self, plain: &Plain) -> Result<Vec<u8>> {
        let mut headers = vec![(CONTENT_TYPE, plain.content_type)];
        headers.extend(plain.target.map(|target| (TARGET, target)));
        let bound = Bound {
            service: plain.service,
            method: Method::POST,
            target: "/",
            headers: &headers,
            body: SignableBody::Bytes(plain.body.as_bytes()),
            length: plain.body.len() as u64,
        };
        let mut bytes = self.head(&bound)?.into_bytes();
        bytes.extend_from_slice(plain.body.as_bytes());
        Ok(bytes)
    }

    /// The head with its empty line, signed at this instant.
    pub(crate) fn head(&self, bound: &Bound<'_>) -> Result<String> {
        let mut request =
            Request::builder().method(&bound.method).uri(format!("http://{}{}", self.address, bound.target));
        for (name, value) in bound.headers {
            request = request.header(name, *value);
        }
        let (mut parts, ()) = request.body(()).context("a request that HTTP does not carry")?.into_parts();
        let signer = Signer {
            credentials: &self.credentials,
            region: &self.region,
            service: bound.service,
            at: SystemClock.now(),
        };
        signer.sign(&mut parts, bound.body)?;
        let mut head = format!("{} {} HTTP/1.1\r\n", bound.method, bound.target);
        for (name, value) in &parts.headers {
            head.extend([name.as_str(), ": ", value.to_str()?, "\r\n"]);
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", bound.length));
        Ok(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::sigv4::SecretAccessKey;

    #[test]
    fn a_request_carries_its_host_its_signature_and_its_length() {
        let caller = Caller {
            address: "127.0.0.1:4566".parse().unwrap(),
            credentials: Credentials {
                access_key_id: "AKIDEXAMPLE".into(),
                secret_access_key: SecretAccessKey::new("secret"),
                session_token: None,
            },
            region: "us-east-1".into(),
        };
        let plain = Plain { service: "ecs", target: Some("A.B"), content_type: "application/json", body: "{}".into() };
        let text = String::from_utf8(caller.sign(&plain).unwrap()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "{}");
        assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
        for part in ["host: 127.0.0.1:4566", "x-amz-target: A.B", "content-length: 2", "/us-east-1/ecs/aws4_request,"] {
            assert!(head.contains(part), "{part} is not in {head}");
        }
    }
}
