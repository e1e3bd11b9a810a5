//! A request, built, signed and spoilt piece by piece.

use std::fmt::Write as _;

use base::Timestamp;
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::{Credentials, SignableBody, Signer};
use wire::{cbor, json};

/// A request before it becomes bytes.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`
    pub method: String,
    /// Path and query, written as they stand here.
    pub target: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request of an operation with this input, already encoded (in CBOR: as JSON), and without a signature. Where members
    /// are bound to HTTP the input is JSON too, and only what stands in the path is taken from it.
    pub fn of(host: &str, model: &ServiceModel, operation: &str, protocol: Protocol, input: &str) -> Self {
        let mut request = Self {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: vec![("host".to_owned(), host.to_owned())],
            body: input.into(),
        };
        match protocol {
            Protocol::AwsJson10 | Protocol::AwsJson11 => {
                let prefix = model.target_prefix.expect("a service that speaks awsJson has a target");
                request.set("x-amz-target", &format!("{prefix}.{operation}"));
                request.set("content-type", protocol.content_type());
            }
            Protocol::RpcV2Cbor => {
                let name = model.target_prefix.expect("a service that speaks CBOR has a name");
                request.target = format!("/service/{name}/operation/{operation}");
                request.set("smithy-protocol", "rpc-v2-cbor");
                request.set("content-type", protocol.content_type());
                let shape = model.operation(operation).and_then(|operation| model.input(operation));
                let value = shape.and_then(|shape| json::decode(shape, input.as_bytes(), &json::Limits::REQUEST).ok());
                if let (Some(shape), Some(value)) = (shape, value) {
                    request.body = cbor::encode(shape, &value);
                }
            }
            Protocol::AwsQuery => {
                request.set("content-type", "application/x-www-form-urlencoded; charset=utf-8");
                let separator = if input.is_empty() { "" } else { "&" };
                let head = format!("Action={operation}&Version={}{separator}", model.api_version);
                request.body = [head.as_bytes(), input.as_bytes()].concat();
            }
            Protocol::RestXml | Protocol::RestJson1 => {
                let http = model.operation(operation).and_then(|operation| model.http(operation));
                let http = http.expect("an operation that is bound to HTTP has a method and a path");
                request.method = http.method.to_owned();
                request.target = with_labels(http.uri, input);
                request.body = Vec::new();
            }
        }
        request
    }

    /// A request for nothing but a path.
    pub fn get(host: &str, target: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: vec![("host".to_owned(), host.to_owned())],
            body: Vec::new(),
        }
    }

    /// Signs it in the `Authorization` header.
    #[must_use]
    pub fn signed(mut self, credentials: &Credentials, service: &str, region: &str, at: Timestamp) -> Self {
        let mut builder = http::Request::builder().method(self.method.as_str()).uri(self.target.as_str());
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let (mut parts, ()) = builder.body(()).expect("the request can be written").into_parts();
        let signer = Signer { credentials, region, service, at };
        signer.sign(&mut parts, SignableBody::Bytes(&self.body)).expect("the request can be signed");
        for name in ["x-amz-date", "x-amz-security-token", "authorization"] {
            if let Some(value) = parts.headers.get(name) {
                self.set(name, value.to_str().expect("a signature is ASCII"));
            }
        }
        self
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header in place of one of the same name.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.headers.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.headers.push((name.to_owned(), value.to_owned())),
        }
    }

    /// Takes a header away.
    pub fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    /// The bytes up to the body, with more headers.
    pub fn head(&self, more: &[(&str, &str)]) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(more.iter().copied()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// A form of these parameters.
pub fn form(parameters: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

/// A path whose labels are what the members of their names say.
fn with_labels(uri: &str, input: &str) -> String {
    let members: serde_json::Value = serde_json::from_str(input).unwrap_or_default();
    let mut pieces = uri.split('{');
    let mut target = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (label, rest) = piece.split_once('}').unwrap_or((piece, ""));
        target.push_str(members[label.trim_end_matches('+')].as_str().unwrap_or_default());
        target.push_str(rest);
    }
    target
}
