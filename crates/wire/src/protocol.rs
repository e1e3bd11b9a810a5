//! Each wire protocol, once: requests in, answers and errors out.

use crate::error::Error;
use crate::model::{Protocol, ServiceModel};
use crate::value::Value;
use crate::{json, query, validate, xml};

/// The namespace of awsQuery errors that are not of any service.
const FAULT_NAMESPACE: &str = "http://webservices.amazon.com/AWSFault/2005-15-09";
/// What a body that cannot be read is called in awsJson.
const SERIALIZATION: &str = "SerializationException";

/// A body and the headers that a protocol gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
}

impl Protocol {
    /// Reads an operation's input from a request's body and checks the model's constraints on it.
    pub fn decode(self, model: &ServiceModel, operation: usize, body: &[u8]) -> Result<Value, Error> {
        let Some(shape) = model.input(operation) else { return Ok(crate::nothing()) };
        let input = match self {
            Self::AwsJson10 | Self::AwsJson11 => {
                json::decode(shape, body, &json::Limits::REQUEST).map_err(|error| match error {
                    json::DecodeError::Malformed => Error::new(SERIALIZATION, 400, ""),
                    json::DecodeError::Type(problem) => Error::new(SERIALIZATION, 400, problem),
                })?
            }
            Self::AwsQuery => query::Form::parse(body)
                .and_then(|form| form.decode(shape))
                .map_err(|error| Error::new("MalformedInput", 400, error.to_string()))?,
        };
        match validate::validate(shape, &input) {
            Ok(()) => Ok(input),
            Err(problem) => Err(Error::new(self.validation_error(model), 400, problem)),
        }
    }

    /// Writes an operation's output.
    pub fn encode(self, model: &ServiceModel, operation: usize, output: &Value, request_id: &str) -> Encoded {
        let shape = model.output(operation);
        let body = match self {
            Self::AwsJson10 | Self::AwsJson11 => match shape {
                Some(shape) => json::encode(shape, output),
                // A service whose operation answers nothing sends no body at all.
                None => Vec::new(),
            },
            Self::AwsQuery => {
                let name = model.operation_name(operation);
                let mut writer = xml::Writer::default();
                writer.element(&format!("{name}Response"), model.xml_namespace, |w| {
                    if let Some(shape) = shape {
                        let wrapper =
                            model.result_wrapper(operation).map_or_else(|| format!("{name}Result"), str::to_owned);
                        w.element(&wrapper, None, |w| w.members(shape, output));
                    }
                    w.element("ResponseMetadata", None, |w| w.text("RequestId", request_id));
                });
                writer.finish().into_bytes()
            }
        };
        Encoded { status: 200, content_type: self.content_type(), body }
    }

    /// Writes an error. `namespace` is the service's, where the request has found its service.
    pub fn encode_error(self, namespace: Option<&str>, error: &Error, request_id: &str) -> Encoded {
        let body = match self {
            Self::AwsJson10 | Self::AwsJson11 => {
                let mut body = serde_json::Map::new();
                body.insert("__type".to_owned(), error.code.as_ref().into());
                if !error.message.is_empty() {
                    // AWS spells this one member of this one error with a capital. SDKs read both.
                    let member = if error.code == SERIALIZATION { "Message" } else { "message" };
                    body.insert(member.to_owned(), error.message.as_str().into());
                }
                for (member, value) in &error.members {
                    body.insert((*member).to_owned(), value.clone());
                }
                serde_json::Value::Object(body).to_string().into_bytes()
            }
            Self::AwsQuery => {
                let mut writer = xml::Writer::default();
                writer.element("ErrorResponse", Some(namespace.unwrap_or(FAULT_NAMESPACE)), |w| {
                    w.element("Error", None, |w| {
                        w.text("Type", if error.is_sender() { "Sender" } else { "Receiver" });
                        w.text("Code", &error.code);
                        if !error.message.is_empty() {
                            w.text("Message", &error.message);
                        }
                    });
                    w.text("RequestId", request_id);
                });
                writer.finish().into_bytes()
            }
        };
        Encoded { status: error.status, content_type: self.content_type(), body }
    }

    /// The code of an error against the model's constraints.
    fn validation_error(self, model: &ServiceModel) -> &'static str {
        match (model.validation_error, self) {
            (Some(code), _) => code,
            (None, Self::AwsJson10 | Self::AwsJson11) => "ValidationException",
            (None, Self::AwsQuery) => "ValidationError",
        }
    }

    /// The `Content-Type` of its answers.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::AwsJson10 => "application/x-amz-json-1.0",
            Self::AwsJson11 => "application/x-amz-json-1.1",
            Self::AwsQuery => "text/xml",
        }
    }
}

#[cfg(test)]
mod tests;
