//! An error as a client sees it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

use crate::model::{ErrorKind, MESSAGE, ServiceModel};

/// Code, status and message of an error, before a protocol writes it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Error {
    /// The code that clients switch on.
    pub code: Cow<'static, str>,
    /// What awsQuery calls it, where that differs.
    pub query_code: Option<&'static str>,
    /// The HTTP status.
    pub status: u16,
    /// What failed, and on what. AWS's own words where AWS has some.
    pub message: String,
    /// The member of the message. XML always has `Message`.
    pub message_member: &'static str,
    /// Further members of the error's shape, by wire name.
    pub members: Vec<(&'static str, serde_json::Value)>,
    /// Headers of its answer, in the protocols that bind members to HTTP.
    pub headers: Option<Box<HeaderMap>>,
}

impl Error {
    /// An error of any code.
    pub fn new(code: impl Into<Cow<'static, str>>, status: u16, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            query_code: None,
            status,
            message: message.into(),
            message_member: MESSAGE,
            members: Vec::new(),
            headers: None,
        }
    }

    /// An error that the service's model has.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            query_code: kind.query_code,
            message_member: kind.message_member,
            ..Self::new(kind.code, kind.status, message)
        }
    }

    /// What awsQuery calls it, where that differs.
    #[must_use]
    pub fn in_query(mut self, code: &'static str) -> Self {
        self.query_code = Some(code);
        self
    }

    /// A body that cannot be read, as awsJson and CBOR say it. AWS spells the member of this one error with a capital.
    pub fn serialization(problem: impl Into<String>) -> Self {
        Self { message_member: "Message", ..Self::new("SerializationException", 400, problem) }
    }

    /// Its code in awsQuery.
    pub fn code_in_query(&self) -> &str {
        self.query_code.unwrap_or(&self.code)
    }

    /// Whom awsQuery blames.
    pub fn fault(&self) -> &'static str {
        if self.is_sender() { "Sender" } else { "Receiver" }
    }

    /// Adds a member of the error's shape.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// Adds a header to its answer, in the protocols that bind members to HTTP. The name is in small letters; a value that no
    /// header can have is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Ok(value) = HeaderValue::try_from(value.into()) {
            self.headers.get_or_insert_default().insert(name, value);
        }
        self
    }

    /// The answer to an operation that the service's model has and Pilvi does not serve. 501 is a status that no SDK
    /// retries.
    pub fn not_served(model: &ServiceModel, operation: usize) -> Self {
        Self::new(
            "NotImplemented",
            501,
            format!("Pilvi does not serve {}:{} yet.", model.name, model.operation_name(operation)),
        )
    }

    /// A failure of Pilvi's own. What it was belongs into the log, not to the client.
    pub fn internal() -> Self {
        Self::new("InternalFailure", 500, "The request processing has failed because of an unknown error.")
    }

    /// Whether the client is to blame.
    pub fn is_sender(&self) -> bool {
        self.status < 500
    }
}
