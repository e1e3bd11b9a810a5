//! Answers that go on: what their clients receive, and what ends them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use wire::cbor;
use wire::json::Limits;
use wire::serve::ServeLimits;

use super::connections::{body_of, for_http2, http2};
use super::harness::{Client, Request, Running, run};
use crate::events::Message;

fn watches(script: &[&str]) -> Request {
    Request::json("Watches", &json!({ "Strings": script }).to_string()).signed("things")
}

/// A stream that is being read.
struct Watch {
    client: Client,
    rest: Vec<u8>,
}

impl Watch {
    async fn begin(server: &Running, request: &Request) -> Self {
        let mut client = server.connect().await;
        let answer = client.send(request).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/vnd.amazon.eventstream"));
        assert!(answer.header("x-amzn-requestid").starts_with("request-"));
        Self { client, rest: Vec::new() }
    }

    /// The next message; `None` at the body's proper end.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = Message::take(&mut self.rest) {
                return Some(message);
            }
            let chunk = self.client.chunk().await;
            if chunk.is_empty() {
                assert!(self.rest.is_empty(), "the body ends within a message");
                return None;
            }
            self.rest.extend_from_slice(&chunk);
        }
    }

    async fn said(&mut self, label: &str) {
        let message = self.next().await.unwrap();
        assert_eq!((message.kind(), message.json()), (("event", "Said"), json!({ "label": label })));
    }

    async fn begun(&mut self) {
        let message = self.next().await.unwrap();
        assert_eq!((message.kind(), message.json()), (("event", "initial-response"), json!({"label": "begun"})));
    }
}

#[test]
fn a_stream_brings_its_output_first_and_then_its_events() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut watch = Watch::begin(&server, &watches(&["a", "b", "waits", "c"])).await;
        let initial = watch.next().await.unwrap();
        assert_eq!((initial.kind(), initial.json()), (("event", "initial-response"), json!({"label": "begun"})));
        assert_eq!(initial.header(":content-type"), "application/x-amz-json-1.1");
        let first = watch.next().await.unwrap();
        assert_eq!((first.kind(), first.json()), (("event", "Said"), json!({"label": "a"})));
        assert_eq!(first.header(":content-type"), "application/json");
        watch.said("b").await;
        // What has been said is there although the stream goes on.
        server.things.go.add_permits(1);
        watch.said("c").await;
        assert_eq!(watch.next().await, None);
        let answer = watch.client.send(&Request::json("Echo", "{}").signed("things")).await;
        assert_eq!(answer.body, "{}", "the connection goes on");
        assert_eq!(server.observed.lock().unwrap()[0], ("things", "Watches", 200));
    });
}

#[test]
fn a_stream_of_cbor_is_cbor_throughout() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let body = cbor::encode_json(&json!({"Strings": ["a", "gone"]}));
        let mut watch = Watch::begin(&server, &Request::cbor("Watches", body).signed("meters")).await;
        for (kind, payload) in [
            (("event", "initial-response"), json!({"label": "begun"})),
            (("event", "Said"), json!({"label": "a"})),
            (("exception", "Gone"), json!({"message": "It is gone."})),
        ] {
            let message = watch.next().await.unwrap();
            assert_eq!((message.kind(), message.header(":content-type")), (kind, "application/cbor"));
            assert_eq!(cbor::decode_json(&message.payload, &Limits::REQUEST), Ok(payload));
        }
        assert_eq!(watch.next().await, None);
    });
}

#[test]
fn an_exception_is_the_last_message() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut watch = Watch::begin(&server, &watches(&["a", "gone", "b"])).await;
        watch.begun().await;
        watch.said("a").await;
        let gone = watch.next().await.unwrap();
        assert_eq!((gone.kind(), gone.json()), (("exception", "Gone"), json!({"message": "It is gone."})));
        assert_eq!(watch.next().await, None);
    });
}

#[test]
fn a_producer_that_panics_or_says_too_much_ends_in_an_error() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        for word in ["panics", "huge"] {
            let mut watch = Watch::begin(&server, &watches(&["a", word])).await;
            watch.begun().await;
            watch.said("a").await;
            let broken = watch.next().await.unwrap();
            assert_eq!((broken.kind(), broken.payload.len()), (("error", "InternalFailure"), 0), "{word}");
            assert!(!broken.header(":error-message").contains("told to"), "the reason belongs into the log");
            assert_eq!(watch.next().await, None);
        }
    });
}

#[test]
fn a_message_that_finds_no_room_ends_the_stream_with_an_error() {
    run(async {
        let server = Running::start(ServeLimits { answers_bytes_max: 1000, ..ServeLimits::default() }).await;
        let mut watch = Watch::begin(&server, &watches(&["a", "endless"])).await;
        watch.begun().await;
        watch.said("a").await;
        assert_eq!(watch.next().await.unwrap().kind(), ("error", "ServiceUnavailable"));
        assert_eq!(watch.next().await, None);
        server.things.done.acquire().await.unwrap().forget();
    });
}

#[test]
fn a_producer_ends_when_its_client_goes_away() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut watch = Watch::begin(&server, &watches(&["a", "endless"])).await;
        watch.begun().await;
        watch.said("a").await;
        drop(watch);
        server.things.done.acquire().await.unwrap().forget();
        assert_eq!(server.things.finished.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_client_that_does_not_take_its_events_loses_its_connection() {
    run(async {
        let impatient = ServeLimits { head_timeout: Duration::from_secs(1), ..ServeLimits::default() };
        let server = Running::start(impatient).await;
        let watch = Watch::begin(&server, &watches(&["endless"])).await;
        // The client stays and does not read: it is the server that ends the producer.
        server.things.done.acquire().await.unwrap().forget();
        drop(watch);
    });
}

#[test]
fn a_stream_that_nobody_takes_ends_although_its_connection_is_busy() {
    run(async {
        let impatient = ServeLimits { head_timeout: Duration::from_secs(1), ..ServeLimits::default() };
        let server = Running::start(impatient).await;
        let mut client = http2(&server).await;
        let unread = client.send_request(for_http2(&watches(&["endless"]))).await.unwrap();
        loop {
            let echo = Request::json("Echo", "{}").signed("things");
            tokio::select! {
                done = server.things.done.acquire() => break done.unwrap().forget(),
                answer = client.send_request(for_http2(&echo)) => assert_eq!(body_of(answer.unwrap()).await, "{}"),
            }
        }
        drop(unread);
    });
}

#[test]
fn a_stream_that_waits_for_its_next_event_is_not_idle() {
    run(async {
        let impatient = ServeLimits { head_timeout: Duration::from_millis(200), ..ServeLimits::default() };
        let server = Running::start(impatient).await;
        let mut watch = Watch::begin(&server, &watches(&["a", "waits", "b"])).await;
        watch.begun().await;
        watch.said("a").await;
        // A connection that idles from now on is closed; by then the stream has waited longer than it may.
        server.connect().await.ended().await;
        server.connect().await.ended().await;
        server.things.go.add_permits(1);
        watch.said("b").await;
        assert_eq!(watch.next().await, None);
    });
}

#[test]
fn a_server_that_stops_ends_its_streams_properly() {
    run(async {
        let long = ServeLimits { drain_timeout: Duration::from_secs(50), ..ServeLimits::default() };
        let mut server = Running::start(long).await;
        let mut told = Watch::begin(&server, &watches(&["a", "closed"])).await;
        let mut deaf = Watch::begin(&server, &watches(&["b", "waits"])).await;
        told.begun().await;
        told.said("a").await;
        deaf.begun().await;
        deaf.said("b").await;
        server.things.waiting.acquire().await.unwrap().forget();
        server.stop();
        assert_eq!(told.next().await, None);
        assert_eq!(deaf.next().await, None, "although its producer does not listen");
        (&mut server.ended).await.unwrap().unwrap();
        server.things.done.acquire_many(2).await.unwrap().forget();
    });
}
