//! A runtime and its extensions, as programs speak to the environment, and the server at the other end of the channel.

use base::SeededRng;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{DuplexStream, ReadHalf, WriteHalf};
use tokio::task::JoinHandle;

use super::frame::*;
use super::state::PAYLOAD_BYTES_MAX;
use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef";

/// The server's side.
struct Server {
    environments: Arc<Environments>,
    to: WriteHalf<DuplexStream>,
    from: FrameReader<ReadHalf<DuplexStream>>,
}

/// Somebody within.
struct Within(SendRequest<Full<Bytes>>);

struct Told {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Server {
    async fn start(extensions: &[&str]) -> Self {
        let environments = Arc::new(Environments::new(Arc::new(SeededRng::new(1))));
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let attached = environments.clone();
        tokio::spawn(async move { attached.attach(ID, theirs).await });
        let (from, to) = tokio::io::split(ours);
        let mut server = Self { environments, to, from: FrameReader::new(from) };
        let begin = Begin {
            function_name: "hello".to_owned(),
            function_version: "$LATEST".to_owned(),
            handler: "index.handler".to_owned(),
            account_id: "000000000000".to_owned(),
            extensions: extensions.iter().map(|name| (*name).to_owned()).collect(),
        };
        server.say(&[ToEnvironment::Begin(begin)]).await;
        server
    }

    async fn within(&self) -> Within {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        let environments = self.environments.clone();
        tokio::spawn(async move { environments.serve(ID, theirs).await });
        let (sender, connection) = handshake(TokioIo::new(ours)).await.unwrap();
        tokio::spawn(connection);
        Within(sender)
    }

    async fn say(&mut self, frames: &[ToEnvironment]) {
        write(&mut self.to, frames).await.unwrap();
    }

    async fn invoke(&mut self, id: &str, payload: &'static str) {
        let invoke = Invoke {
            request_id: id.to_owned(),
            deadline_ms: 5,
            function_arn: "arn:aws:lambda:us-east-1:000000000000:function:hello".to_owned(),
            trace_id: Some("Root=1-5bef4de7".to_owned()),
            ..Invoke::default()
        };
        let payload = ToEnvironment::Payload(Bytes::from_static(payload.as_bytes()));
        self.say(&[ToEnvironment::Invoke(invoke), payload, ToEnvironment::PayloadEnd]).await;
    }

    async fn hears(&mut self) -> FromEnvironment {
        self.from.next().await.unwrap().unwrap()
    }

    /// A payload to its end.
    async fn payload(&mut self) -> (Vec<u8>, PayloadEnd) {
        let mut payload = Vec::new();
        loop {
            match self.hears().await {
                FromEnvironment::Payload(piece) => payload.extend_from_slice(&piece),
                FromEnvironment::PayloadEnd(end) => return (payload, end),
                other => panic!("{other:?} within a payload"),
            }
        }
    }
}

impl Within {
    async fn send(&mut self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Told {
        let mut request = http::Request::builder().method(method).uri(path).header("host", "a");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.0.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        Told { status: parts.status, headers: parts.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    async fn get(&mut self, path: &str) -> Told {
        self.send(Method::GET, path, &[], "").await
    }

    async fn post(&mut self, path: &str, body: impl Into<Bytes>) -> Told {
        self.send(Method::POST, path, &[], body).await
    }

    /// Asks for the next event, and hands itself back with it.
    fn waits(mut self) -> JoinHandle<(Self, Told)> {
        tokio::spawn(async move {
            let told = self.get("/2018-06-01/runtime/invocation/next").await;
            (self, told)
        })
    }

    async fn register(&mut self, name: &str, events: &[&str]) -> Told {
        let headers = [("lambda-extension-name", name), ("lambda-extension-accept-feature", "accountId")];
        let body = json!({ "events": events }).to_string();
        self.send(Method::POST, "/2020-01-01/extension/register", &headers, body).await
    }

    fn waits_as(mut self, id: String) -> JoinHandle<(Self, Told)> {
        tokio::spawn(async move {
            let headers = [("lambda-extension-identifier", id.as_str())];
            let told = self.send(Method::GET, "/2020-01-01/extension/event/next", &headers, "").await;
            (self, told)
        })
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    #[track_caller]
    fn is_error(&self, status: u16, error_type: &str) {
        assert_eq!((self.status.as_u16(), self.json()["errorType"].as_str().unwrap()), (status, error_type));
    }
}

#[tokio::test]
async fn an_event_goes_to_the_runtime_and_its_answer_back_any_number_of_times() {
    let mut server = Server::start(&[]).await;
    let mut waits = server.within().await.waits();
    assert_eq!(server.hears().await, FromEnvironment::Ready(Ready::default()));
    for id in ["one", "two"] {
        server.invoke(id, r#"{"a":1}"#).await;
        let (mut runtime, event) = waits.await.unwrap();
        assert_eq!((event.status, event.body.as_ref()), (StatusCode::OK, br#"{"a":1}"#.as_slice()));
        assert_eq!(event.header("lambda-runtime-aws-request-id"), id);
        assert_eq!(event.header("lambda-runtime-deadline-ms"), "5");
        assert_eq!(event.header("lambda-runtime-trace-id"), "Root=1-5bef4de7");
        assert!(!event.headers.contains_key("lambda-runtime-client-context"), "there is none");
        let answer = runtime.post(&format!("/2018-06-01/runtime/invocation/{id}/response"), "done").await;
        assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({ "status": "OK" })));
        let head = ResponseHead { request_id: id.to_owned(), content_type: None, is_streamed: false };
        assert_eq!(server.hears().await, FromEnvironment::Response(head));
        assert_eq!(server.payload().await, (b"done".to_vec(), PayloadEnd::default()));
        waits = runtime.waits();
        assert_eq!(server.hears().await, FromEnvironment::Idle { request_id: id.to_owned() });
    }
}

#[tokio::test]
async fn a_function_says_why_it_failed() {
    let mut server = Server::start(&[]).await;
    let waits = server.within().await.waits();
    server.hears().await;
    server.invoke("one", "{}").await;
    let (mut runtime, _) = waits.await.unwrap();
    let headers = [("lambda-runtime-function-error-type", "Runtime.Oops"), ("content-type", "application/json")];
    let path = "/2018-06-01/runtime/invocation/one/error";
    let answer = runtime.send(Method::POST, path, &headers, r#"{"errorMessage":"no"}"#).await;
    assert_eq!(answer.status.as_u16(), 202);
    let FromEnvironment::Error(failed) = server.hears().await else { panic!("that is an error") };
    assert_eq!((failed.request_id.as_str(), failed.error_type.as_str()), ("one", "Runtime.Oops"));
    assert_eq!(server.payload().await.0, br#"{"errorMessage":"no"}"#);
}

#[tokio::test]
async fn what_is_asked_for_at_the_wrong_time_is_refused() {
    let mut server = Server::start(&[]).await;
    let mut runtime = server.within().await;
    runtime.post("/2018-06-01/runtime/invocation/one/response", "").await.is_error(400, "InvalidRequestID");
    let waits = runtime.waits();
    server.hears().await;
    let mut other = server.within().await;
    other.get("/2018-06-01/runtime/invocation/next").await.is_error(403, "InvalidStateTransition");
    other.post("/2018-06-01/runtime/init/error", "{}").await.is_error(403, "InvalidStateTransition");
    server.invoke("one", "{}").await;
    let (mut runtime, _) = waits.await.unwrap();
    other.get("/2018-06-01/runtime/invocation/next").await.is_error(403, "InvalidStateTransition");
    runtime.post("/2018-06-01/runtime/invocation/other/response", "").await.is_error(400, "InvalidRequestID");
    assert_eq!(runtime.post("/2018-06-01/runtime/invocation/one/response", "").await.status.as_u16(), 202);
    runtime.post("/2018-06-01/runtime/invocation/one/response", "").await.is_error(400, "InvalidRequestID");
    runtime.post("/2018-06-01/runtime/invocation/one/error", "").await.is_error(400, "InvalidRequestID");
    assert_eq!(other.get("/2018-06-01/anything").await.status.as_u16(), 404);
    assert_eq!(other.get("/2018-06-01/ping").await.body, "pong");
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_an_error_and_the_environment_goes_on() {
    let mut server = Server::start(&[]).await;
    let waits = server.within().await.waits();
    server.hears().await;
    server.invoke("one", "{}").await;
    let (mut runtime, _) = waits.await.unwrap();
    let body = vec![b'x'; PAYLOAD_BYTES_MAX + 1];
    runtime.post("/2018-06-01/runtime/invocation/one/response", body).await.is_error(413, "RequestEntityTooLarge");
    let FromEnvironment::Error(failed) = server.hears().await else { panic!("that is an error") };
    assert_eq!(failed.error_type, "Function.ResponseSizeTooLarge");
    let said: Value = serde_json::from_slice(&server.payload().await.0).unwrap();
    let expected = "Response payload size exceeded maximum allowed payload size (6291556 bytes).";
    assert_eq!(said["errorMessage"], expected);
    let waits = runtime.waits();
    assert_eq!(server.hears().await, FromEnvironment::Idle { request_id: "one".to_owned() });
    server.invoke("two", "{}").await;
    let (mut runtime, _) = waits.await.unwrap();
    let body = vec![b'x'; PAYLOAD_BYTES_MAX];
    let answers = tokio::spawn(async move { runtime.post("/2018-06-01/runtime/invocation/two/response", body).await });
    assert!(matches!(server.hears().await, FromEnvironment::Response(_)));
    assert_eq!(server.payload().await.0.len(), PAYLOAD_BYTES_MAX);
    assert_eq!(answers.await.unwrap().status.as_u16(), 202);
}

#[tokio::test]
async fn a_streamed_answer_comes_no_faster_than_it_is_taken() {
    let mut server = Server::start(&[]).await;
    let waits = server.within().await.waits();
    server.hears().await;
    server.invoke("one", "{}").await;
    let (mut runtime, _) = waits.await.unwrap();
    let length = state::STREAMED_BYTES_AHEAD + PIECE_BYTES_MAX;
    let answers = tokio::spawn(async move {
        let headers = [("lambda-runtime-function-response-mode", "streaming")];
        let path = "/2018-06-01/runtime/invocation/one/response";
        runtime.send(Method::POST, path, &headers, vec![b'x'; length]).await.status
    });
    let FromEnvironment::Response(head) = server.hears().await else { panic!("that is an answer") };
    assert!(head.is_streamed);
    let mut taken = 0;
    while taken < state::STREAMED_BYTES_AHEAD - PIECE_BYTES_MAX {
        let FromEnvironment::Payload(piece) = server.hears().await else { panic!("that is a piece") };
        taken += piece.len();
    }
    assert!(!answers.is_finished(), "there is more than was let");
    let credit = u32::try_from(taken).unwrap();
    server.say(&[ToEnvironment::Credit(credit)]).await;
    let (rest, end) = server.payload().await;
    assert_eq!((taken + rest.len(), end), (length, PayloadEnd::default()));
    assert_eq!(answers.await.unwrap().as_u16(), 202);
}

#[tokio::test]
async fn a_runtime_that_cannot_begin_says_so() {
    let mut server = Server::start(&[]).await;
    let mut runtime = server.within().await;
    let headers = [("lambda-runtime-function-error-type", "Runtime.ImportModuleError")];
    let told = runtime.send(Method::POST, "/2018-06-01/runtime/init/error", &headers, r#"{"errorMessage":"no"}"#).await;
    assert_eq!(told.status.as_u16(), 202);
    let body = r#"{"errorMessage":"no"}"#.to_owned();
    let expected = Failed { error_type: "Runtime.ImportModuleError".to_owned(), body };
    assert_eq!(server.hears().await, FromEnvironment::InitError(expected));
}

#[tokio::test]
async fn nothing_begins_and_nothing_is_over_before_all_extensions_are_there() {
    let mut server = Server::start(&["external"]).await;
    let mut internal = server.within().await;
    let told = internal.register("internal", &["INVOKE"]).await;
    assert_eq!(told.json()["functionName"], "hello");
    assert_eq!(told.json()["accountId"], "000000000000");
    let internal_id = told.header("lambda-extension-identifier").to_owned();
    internal.register("internal", &["INVOKE"]).await.is_error(403, "Extension.InvalidExtensionState");
    internal.register("other", &["RUN"]).await.is_error(403, "Extension.InvalidEventType");
    internal.register("", &[]).await.is_error(403, "Extension.InvalidExtensionName");
    let internal_waits = internal.waits_as(internal_id.clone());
    let runtime_waits = server.within().await.waits();
    let mut external = server.within().await;
    let external_id =
        external.register("external", &["INVOKE", "SHUTDOWN"]).await.header("lambda-extension-identifier").to_owned();
    let mut late = server.within().await;
    let external_waits = external.waits_as(external_id.clone());
    let FromEnvironment::Ready(ready) = server.hears().await else { panic!("all are there") };
    assert_eq!(ready.extensions.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["external", "internal"]);
    late.register("late", &[]).await.is_error(403, "Extension.RegistrationClosed");

    server.invoke("one", "{}").await;
    let (mut runtime, _) = runtime_waits.await.unwrap();
    let (external, event) = external_waits.await.unwrap();
    let (internal, _) = internal_waits.await.unwrap();
    assert_eq!((event.json()["eventType"].as_str(), event.json()["requestId"].as_str()), (Some("INVOKE"), Some("one")));
    runtime.post("/2018-06-01/runtime/invocation/one/response", "").await;
    assert!(matches!(server.hears().await, FromEnvironment::Response(_)));
    server.payload().await;
    let _runtime_waits = runtime.waits();
    let _internal_waits = internal.waits_as(internal_id);
    let external_waits = external.waits_as(external_id);
    assert_eq!(server.hears().await, FromEnvironment::Idle { request_id: "one".to_owned() });

    server.say(&[ToEnvironment::Shutdown(Shutdown { reason: "spindown".to_owned(), deadline_ms: 9 })]).await;
    let (_, event) = external_waits.await.unwrap();
    let expected = json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": 9 });
    assert_eq!(event.json(), expected);
}

#[tokio::test]
async fn extensions_that_are_none_are_refused() {
    let server = Server::start(&[]).await;
    let mut within = server.within().await;
    within.get("/2020-01-01/extension/event/next").await.is_error(403, "Extension.MissingExtensionIdentifier");
    let path = "/2020-01-01/extension/event/next";
    let headers = [("lambda-extension-identifier", "x")];
    within.send(Method::GET, path, &headers, "").await.is_error(403, "Extension.InvalidExtensionIdentifier");
    let headers = [("lambda-extension-identifier", "00000000-0000-4000-8000-000000000000")];
    within.send(Method::GET, path, &headers, "").await.is_error(403, "Extension.UnknownExtensionIdentifier");
    let id = within.register("a", &[]).await.header("lambda-extension-identifier").to_owned();
    let headers = [("lambda-extension-identifier", id.as_str())];
    let path = "/2020-01-01/extension/init/error";
    within.send(Method::POST, path, &headers, "").await.is_error(403, "Extension.MissingHeader");
    for number in 1..state::EXTENSIONS_MAX {
        assert_eq!(within.register(&format!("e{number}"), &[]).await.status.as_u16(), 200);
    }
    within.register("one-too-many", &[]).await.is_error(403, "Extension.TooManyExtensions");
}

#[tokio::test]
async fn whoever_waits_is_let_go_when_the_channel_ends() {
    let mut server = Server::start(&[]).await;
    let waits = server.within().await.waits();
    server.hears().await;
    let Server { to, from, .. } = server;
    drop((to, from));
    assert_eq!(waits.await.unwrap().1.status.as_u16(), 500);
}
