//! An answer, and what it says in its protocol's own shape.

use serde_json::Value;
use wire::cbor;
use wire::json::Limits;
use wire::model::Protocol;

/// An answer as it came.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body; of a stream of events the first message.
    pub body: Vec<u8>,
}

/// An error as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// The error's code.
    pub code: String,
    /// The error's message.
    pub message: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// How long the body is, or would be.
    ///
    /// # Errors
    /// When the header is no number.
    pub(crate) fn length(&self) -> std::io::Result<Option<usize>> {
        let wrong = |_| std::io::Error::other("the length is not as HTTP has it");
        self.header("content-length").map(|length| length.parse().map_err(wrong)).transpose()
    }

    /// Whether the body is a stream of events. Of one, the first message is read.
    pub fn is_stream(&self) -> bool {
        self.header("content-type") == Some("application/vnd.amazon.eventstream")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text()))
    }

    /// The text of the first XML element of this name.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        let (value, _) = rest.split_once(&format!("</{name}>"))?;
        let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
        Some(plain.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
    }

    /// The answer, which must be a success.
    #[track_caller]
    pub fn success(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text());
        self
    }

    /// The error in this answer. Its shape must be the protocol's, with a request id where its clients look for one.
    #[track_caller]
    pub fn failure(&self, protocol: Protocol) -> Failure {
        let text = self.text();
        assert_eq!(self.header("content-type"), Some(protocol.content_type()), "{text}");
        let id_name = if protocol == Protocol::RestXml { "x-amz-request-id" } else { "x-amzn-requestid" };
        let header_id = self.header(id_name).unwrap_or_else(|| panic!("no request id: {:?}", self.headers));
        assert!(!header_id.is_empty());
        let of_object = |body: Value| {
            let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            (field("__type"), field("message"))
        };
        let (code, message) = match protocol {
            Protocol::AwsJson10 | Protocol::AwsJson11 => of_object(self.json()),
            Protocol::RpcV2Cbor => {
                assert_eq!(self.header("smithy-protocol"), Some("rpc-v2-cbor"));
                of_object(cbor::decode_json(&self.body, &Limits::REQUEST).expect("a CBOR error"))
            }
            Protocol::AwsQuery => {
                let is_error = text.contains("<ErrorResponse") && text.trim_end().ends_with("</ErrorResponse>");
                assert!(is_error, "not an ErrorResponse: {text}");
                assert_eq!(self.element("RequestId").as_deref(), Some(header_id), "{text}");
                let blamed = if self.status < 500 { "Sender" } else { "Receiver" };
                assert_eq!(self.element("Type").as_deref(), Some(blamed), "{text}");
                (self.element("Code").unwrap_or_default(), self.element("Message").unwrap_or_default())
            }
            Protocol::RestXml => {
                assert!(text.contains("<Error>") && text.ends_with("</Error>"), "not an Error: {text}");
                assert_eq!(self.element("RequestId").as_deref(), Some(header_id), "{text}");
                (self.element("Code").unwrap_or_default(), self.element("Message").unwrap_or_default())
            }
            Protocol::RestJson1 => {
                let code = self.header("x-amzn-errortype").unwrap_or_default().to_owned();
                (code, of_object(self.json()).1)
            }
        };
        assert!(!code.is_empty(), "an error without a code: {} {text}", self.status);
        Failure { status: self.status, code, message }
    }
}
