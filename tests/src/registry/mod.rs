//! The registry as a client that hides nothing sees it: each request by hand, each answer as it came.

mod push;
mod stream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use wire::sigv4::Credentials;

use crate::raw::{Answer, Connection, Request};
use crate::{Api, Server};

pub use stream::{Long, Received};

/// A caller of the registry.
#[derive(Debug)]
pub struct Registry {
    connection: Connection,
    host: String,
    authorization: Option<String>,
}

/// An error as the OCI writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The code: `BLOB_UNKNOWN`.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Registry {
    /// Requests of a key's owner, by a token that lasts.
    #[track_caller]
    pub fn of(server: &Server, by: &Credentials) -> Self {
        Self { authorization: Some(format!("Basic {}", token(server, by))), ..Self::anonymous(server) }
    }

    /// Requests of nobody.
    #[track_caller]
    pub fn anonymous(server: &Server) -> Self {
        let address = server.address();
        Self { connection: Connection::to(address), host: address.to_string(), authorization: None }
    }

    /// The same to the registry of another account.
    #[must_use]
    pub fn of_account(mut self, account: &str) -> Self {
        let port = self.connection.address().port();
        self.host = format!("{account}.dkr.ecr.{}.amazonaws.com:{port}", crate::REGION);
        self
    }

    /// The same with another `Authorization`, or none.
    #[must_use]
    pub fn authorized(mut self, authorization: Option<&str>) -> Self {
        self.authorization = authorization.map(str::to_owned);
        self
    }

    /// What is sent as `Authorization`.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// A request without a body.
    pub fn request(&self, method: &str, target: &str) -> Request {
        let mut request = Request::get(&self.host, target);
        method.clone_into(&mut request.method);
        if let Some(authorization) = &self.authorization {
            request.set("authorization", authorization);
        }
        request
    }

    /// Sends a request; any answer will do.
    #[track_caller]
    pub fn send(&mut self, request: &Request) -> Answer {
        self.connection.send(request)
    }

    /// Sends bytes as they are and reads one answer.
    ///
    /// # Errors
    /// When the server closes the connection without a whole answer.
    pub fn try_send(&mut self, request: &Request) -> std::io::Result<Answer> {
        let mut bytes = request.head(&[("content-length", &request.body.len().to_string())]);
        bytes.extend_from_slice(&request.body);
        self.connection.try_bytes(&bytes, false)
    }

    /// The connection below.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Asks by GET.
    #[track_caller]
    pub fn get(&mut self, target: &str) -> Answer {
        self.send(&self.request("GET", target))
    }

    /// Asks by GET, for an answer of one of these media types.
    #[track_caller]
    pub fn get_as(&mut self, target: &str, accept: &str) -> Answer {
        let mut request = self.request("GET", target);
        request.set("accept", accept);
        self.send(&request)
    }

    /// Asks by HEAD.
    #[track_caller]
    pub fn head(&mut self, target: &str) -> Answer {
        self.send(&self.request("HEAD", target))
    }

    /// Deletes.
    #[track_caller]
    pub fn delete(&mut self, target: &str) -> Answer {
        self.send(&self.request("DELETE", target))
    }

    /// Sends a body of a type.
    #[track_caller]
    pub fn with_body(&mut self, method: &str, target: &str, media_type: &str, body: &[u8]) -> Answer {
        let mut request = self.request(method, target);
        request.set("content-type", media_type);
        request.body = body.to_vec();
        self.send(&request)
    }
}

impl Answer {
    /// The refusal that this answer is: an error as the OCI writes it, with a request id.
    #[track_caller]
    pub fn refusal(&self) -> Refusal {
        assert!(self.status >= 400, "{} {}", self.status, self.text());
        assert!(self.header("x-amzn-requestid").is_some_and(|id| !id.is_empty()), "{:?}", self.headers);
        let body = self.json();
        let error = &body["errors"][0];
        let text = |field: &str| error[field].as_str().unwrap_or_else(|| panic!("no {field}: {body}")).to_owned();
        Refusal { status: self.status, code: text("code"), message: text("message") }
    }

    /// The path and query that `Location` leads to.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.header("location").unwrap_or_else(|| panic!("no Location: {self:?}"));
        match location.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
            None => location.to_owned(),
        }
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub fn with_status(self, expected: u16) -> Self {
        assert_eq!(self.status, expected, "{}", self.text());
        self
    }
}

/// What a key's owner is given by GetAuthorizationToken: a name and a password, ready for `Basic`.
#[track_caller]
pub fn token(server: &Server, by: &Credentials) -> String {
    let answer = Api::new(server, by).ecr("GetAuthorizationToken", &json!({}));
    let token = &answer["authorizationData"][0]["authorizationToken"];
    token.as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
}

/// The password in a token.
pub fn password(token: &str) -> String {
    let text = BASE64.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).expect("a token is base64");
    text.split_once(':').expect("a token is a name and a password").1.to_owned()
}

/// The list in a document.
pub fn list<'a>(document: &'a Value, field: &str) -> Vec<&'a str> {
    document[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}
