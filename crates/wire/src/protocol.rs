//! Each wire protocol, once: requests in, answers, events and errors out.

use std::borrow::Cow;

use crate::content::Content;
use crate::error::Error;
use crate::eventstream::message::{self, Kind, PAYLOAD_BYTES_MAX};
use crate::model::{Protocol, ServiceModel};
use crate::schema::{Location, MemberRef, ShapeRef, flag};
use crate::value::Value;
use crate::{cbor, json, query, rest, validate, xml};

/// The namespace of awsQuery errors that are not of any service.
const FAULT_NAMESPACE: &str = "http://webservices.amazon.com/AWSFault/2005-15-09";
/// The code of a constraint violation in awsQuery.
const VALIDATION_IN_QUERY: &str = "ValidationError";
/// The name of the message that brings an output before its events.
const INITIAL_RESPONSE: &str = "initial-response";

/// A body and the headers that a protocol gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`, where there is something that has one.
    pub content_type: Option<&'static str>,
    /// Further headers, which may name another `Content-Type`.
    pub headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// The body.
    pub body: Vec<u8>,
    /// The body where it is one that streams.
    pub content: Option<Content>,
}

impl Encoded {
    /// An answer without a body.
    pub(crate) fn nothing(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: Vec::new(), content: None }
    }
}

impl Protocol {
    /// Reads an operation's input from a request's body and checks the model's constraints on it.
    pub fn decode(self, model: &ServiceModel, operation: usize, body: &[u8]) -> Result<Value, Error> {
        let Some(shape) = model.input(operation) else { return Ok(crate::nothing()) };
        let input = match self {
            Self::AwsJson10 | Self::AwsJson11 => {
                json::decode(shape, body, &json::Limits::REQUEST).map_err(|error| match error {
                    json::DecodeError::Malformed => Error::serialization(""),
                    json::DecodeError::Type(problem) => Error::serialization(problem),
                })?
            }
            // Clients send nothing for an input without members.
            Self::RpcV2Cbor if body.is_empty() => Value::Structure(vec![None; shape.len()]),
            Self::RpcV2Cbor => cbor::decode(shape, body, &json::Limits::REQUEST).map_err(|error| match error {
                cbor::DecodeError::Malformed => Error::serialization(""),
                cbor::DecodeError::Type(problem) => Error::serialization(problem),
            })?,
            Self::AwsQuery => query::Form::parse(body)
                .and_then(|form| form.decode(shape))
                .map_err(|error| Error::new("MalformedInput", 400, error.to_string()))?,
            // Requests of these protocols are read as a whole: [`crate::rest::decode`].
            Self::RestXml | Self::RestJson1 => return Err(Error::internal()),
        };
        validate::validate(shape, &input).map_err(|problem| self.validation_error(model, problem))?;
        Ok(input)
    }

    /// Writes an operation's output.
    pub fn encode(self, model: &ServiceModel, operation: usize, output: &Value, request_id: &str) -> Encoded {
        if self.is_rest() {
            return rest::encode(self, model, operation, output);
        }
        let shape = model.output(operation);
        let body = match (self, shape) {
            (Self::AwsQuery, _) => query_answer(model, operation, output, request_id),
            (_, Some(shape)) => self.payload(shape, output),
            // A service whose operation answers nothing sends no body at all.
            (_, None) => Vec::new(),
        };
        // Nothing has no type in RPC v2; awsJson declares one all the same.
        let content_type = (self != Self::RpcV2Cbor || shape.is_some()).then(|| self.content_type());
        Encoded { status: 200, content_type, headers: self.headers(), body, content: None }
    }

    /// The head of an answer whose events follow, and the message that brings what comes before them. Where members are
    /// bound to HTTP all of that is in the head, and there is no such message.
    pub fn encode_initial(self, model: &ServiceModel, operation: usize, initial: &Value) -> Encoded {
        if self.is_rest() {
            let head = rest::encode(self, model, operation, initial);
            return Encoded { content_type: Some(message::CONTENT_TYPE), body: Vec::new(), content: None, ..head };
        }
        let payload = match model.output(operation) {
            Some(shape) => self.payload(shape, initial),
            None => Vec::new(),
        };
        let body = message::encode(Kind::Event(INITIAL_RESPONSE), self.content_type(), &payload);
        let (content_type, headers) = (Some(message::CONTENT_TYPE), self.headers());
        Encoded { status: 200, content_type, headers, body, content: None }
    }

    /// Writes an event: its message, and whether it is the last.
    ///
    /// # Errors
    /// The length of a payload that is too large.
    pub fn encode_event(self, member: MemberRef, event: &Value) -> Result<(Vec<u8>, bool), usize> {
        let raw = raw_payload(member.shape(), event);
        let has_raw = raw.is_some();
        let payload = raw.unwrap_or_else(|| self.payload(member.shape(), event).into());
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(payload.len());
        }
        let is_exception = member.has(flag::EXCEPTION);
        let kind = if is_exception { Kind::Exception(member.name()) } else { Kind::Event(member.name()) };
        let content_type = match self {
            _ if has_raw => "application/octet-stream",
            Self::AwsJson10 | Self::AwsJson11 => "application/json",
            Self::RpcV2Cbor | Self::AwsQuery | Self::RestXml | Self::RestJson1 => self.content_type(),
        };
        Ok((message::encode(kind, content_type, &payload), is_exception))
    }

    /// Writes an error. `model` is the service's, where the request has found its service.
    pub fn encode_error(self, model: Option<&ServiceModel>, error: &Error, request_id: &str) -> Encoded {
        if self.is_rest() {
            return rest::fault(self, error, rest::Told { request_id, resource: "" });
        }
        let body = match self {
            Self::AwsJson10 | Self::AwsJson11 | Self::RestJson1 => json_error(error).to_string().into_bytes(),
            Self::RpcV2Cbor => cbor::encode_json(&json_error(error)),
            Self::AwsQuery | Self::RestXml => {
                query_error(model.and_then(|model| model.xml_namespace), error, request_id)
            }
        };
        let mut headers = self.headers();
        if self != Self::AwsQuery && model.is_some_and(|model| model.is_query_compatible) {
            let code = format!("{};{}", error.code_in_query(), error.fault());
            headers.push(("x-amzn-query-error".into(), code.into()));
        }
        Encoded { status: error.status, content_type: Some(self.content_type()), headers, body, content: None }
    }

    /// An error against the model's constraints.
    pub(crate) fn validation_error(self, model: &ServiceModel, problem: String) -> Error {
        match (model.validation_error, self) {
            (Some(code), _) => Error::new(code, 400, problem),
            (None, Self::AwsQuery) => Error::new(VALIDATION_IN_QUERY, 400, problem),
            (None, _) if !model.is_query_compatible => Error::new("ValidationException", 400, problem),
            (None, _) => Error::new("ValidationException", 400, problem).in_query(VALIDATION_IN_QUERY),
        }
    }

    /// A value by its shape, without whatever the protocol puts around it.
    fn payload(self, shape: ShapeRef, value: &Value) -> Vec<u8> {
        match self {
            Self::AwsJson10 | Self::AwsJson11 | Self::RestJson1 => json::encode(shape, value),
            Self::RpcV2Cbor => cbor::encode(shape, value),
            Self::AwsQuery | Self::RestXml => {
                let mut writer = xml::Writer::default();
                writer.members(shape, value);
                writer.finish().into_bytes()
            }
        }
    }

    /// The `Content-Type` of its answers.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::AwsJson10 => "application/x-amz-json-1.0",
            Self::AwsJson11 => "application/x-amz-json-1.1",
            Self::AwsQuery => "text/xml",
            Self::RpcV2Cbor => "application/cbor",
            Self::RestXml => "application/xml",
            Self::RestJson1 => "application/json",
        }
    }

    /// The headers that each of its answers has.
    fn headers(self) -> Vec<(Cow<'static, str>, Cow<'static, str>)> {
        match self {
            Self::RpcV2Cbor => vec![("smithy-protocol".into(), "rpc-v2-cbor".into())],
            Self::AwsJson10 | Self::AwsJson11 | Self::AwsQuery | Self::RestXml | Self::RestJson1 => Vec::new(),
        }
    }
}

/// The bytes of an event whose payload is one of its members (`eventpayload`).
fn raw_payload(shape: ShapeRef, event: &Value) -> Option<Cow<'_, [u8]>> {
    let Value::Structure(fields) = event else { return None };
    let place = shape.members().position(|member| member.location() == Location::Payload)?;
    match fields.get(place) {
        Some(Some(Value::Blob(bytes))) => Some(bytes.into()),
        _ => Some(Cow::default()),
    }
}

fn query_answer(model: &ServiceModel, operation: usize, output: &Value, request_id: &str) -> Vec<u8> {
    let name = model.operation_name(operation);
    let mut writer = xml::Writer::default();
    writer.element(&format!("{name}Response"), model.xml_namespace, |w| {
        if let Some(shape) = model.output(operation) {
            let wrapper = model.result_wrapper(operation).map_or_else(|| format!("{name}Result"), str::to_owned);
            w.element(&wrapper, None, |w| w.members(shape, output));
        }
        w.element("ResponseMetadata", None, |w| w.text("RequestId", request_id));
    });
    writer.finish().into_bytes()
}

pub(crate) fn json_error(error: &Error) -> serde_json::Value {
    let mut body = serde_json::Map::new();
    body.insert("__type".to_owned(), error.code.as_ref().into());
    if !error.message.is_empty() {
        body.insert(error.message_member.to_owned(), error.message.as_str().into());
    }
    for (member, value) in &error.members {
        body.insert((*member).to_owned(), value.clone());
    }
    serde_json::Value::Object(body)
}

fn query_error(namespace: Option<&str>, error: &Error, request_id: &str) -> Vec<u8> {
    let mut writer = xml::Writer::default();
    writer.element("ErrorResponse", Some(namespace.unwrap_or(FAULT_NAMESPACE)), |w| {
        w.element("Error", None, |w| {
            w.text("Type", error.fault());
            w.text("Code", error.code_in_query());
            if !error.message.is_empty() {
                w.text("Message", &error.message);
            }
        });
        w.text("RequestId", request_id);
    });
    writer.finish().into_bytes()
}

#[cfg(test)]
mod tests;
