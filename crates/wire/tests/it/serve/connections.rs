//! Connections: kept alive, shared, cut off, and brought to an end.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wire::serve::ServeLimits;

use super::harness::{Request, Running, run};

fn echo(text: &str) -> Request {
    Request::json("Echo", &format!("{{\"String\":\"{text}\"}}")).signed("things")
}

fn waits() -> Request {
    Request::json("Waits", "").signed("things")
}

#[test]
fn a_connection_carries_one_request_after_the_other() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        for text in ["a", "b", "c"] {
            let answer = client.send(&echo(text)).await;
            assert_eq!(answer.body, format!("{{\"String\":\"{text}\"}}"));
        }
        assert_eq!(client.send(&Request::json("Nope", "").signed("things")).await.status, 400);
        assert_eq!(client.send(&Request::form("Action=Nothing&Version=2010-05-08").signed("forms")).await.status, 200);
    });
}

#[test]
fn requests_that_are_sent_at_once_are_answered_in_their_order() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        let texts: Vec<String> = (0..20).map(|n| format!("text{n}")).collect();
        client.write(&texts.iter().flat_map(|text| echo(text).bytes()).collect::<Vec<u8>>()).await;
        for text in &texts {
            assert!(client.answer().await.body.contains(text.as_str()));
        }
    });
}

#[test]
fn every_answer_tells_its_request_id() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        let mut seen = std::collections::BTreeSet::new();
        for request in [echo("a"), Request::json("Nope", ""), Request::form("Action=Nope").signed("forms")] {
            let answer = client.send(&request).await;
            let id = answer.header("x-amzn-requestid").to_owned();
            assert!(id.starts_with("request-"), "{answer:?}");
            if answer.header("content-type") == "text/xml" {
                assert_eq!(answer.element("RequestId"), id);
            }
            assert!(seen.insert(id));
        }
    });
}

#[test]
fn a_handler_that_panics_answers_an_error_and_the_connection_lives() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        let answer = client.send(&Request::json("Panics", "").signed("things")).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "InternalFailure"));
        let answer = client.send(&Request::form("Action=Panics&Version=2010-05-08").signed("forms")).await;
        assert_eq!((answer.status, answer.element("Type").as_str()), (500, "Receiver"));
        assert!(!answer.body.contains("told to"), "the reason belongs into the log: {}", answer.body);
        assert_eq!(client.send(&echo("a")).await.status, 200);
    });
}

#[test]
fn a_handler_comes_to_its_end_when_its_client_goes_away() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        client.write(&waits().bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        drop(client);
        server.things.go.add_permits(1);
        server.things.done.acquire().await.unwrap().forget();
        assert_eq!(server.things.finished.load(std::sync::atomic::Ordering::SeqCst), 1);
    });
}

#[test]
fn a_client_that_has_said_all_still_hears_the_answer() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        client.write(&waits().bytes()).await;
        client.stream.shutdown().await.unwrap();
        server.things.waiting.acquire().await.unwrap().forget();
        server.things.go.add_permits(1);
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn odd_methods_and_odd_bytes_get_an_answer_or_an_end() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        let head = client.send(&Request::bare("HEAD", "/")).await;
        assert_eq!((head.status, head.body.as_str()), (403, ""));
        let target = "/?Action=Nothing&Version=2010-05-08";
        assert_eq!(client.send(&Request::bare("HEAD", target).signed("forms")).await.status, 200);
        for method in ["OPTIONS", "PUT", "DELETE", "TRACE", "BREW"] {
            let answer = client.send(&Request::bare(method, "/")).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "MissingAuthenticationToken"), "{method}");
        }
        for garbage in [
            &b"GARBAGE\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"\0\0\0\0\r\n\r\n",
            b"\r\n\r\n\r\nx\r\n\r\n",
        ] {
            let mut client = server.connect().await;
            client.write(garbage).await;
            client.stream.shutdown().await.unwrap();
            let heard = client.ended().await;
            assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 400 "), "{garbage:?}: {heard}");
        }
        assert_eq!(server.send(&echo("a")).await.status, 200, "the server goes on");
    });
}

#[test]
fn an_open_request_is_finished_while_new_ones_are_refused() {
    run(async {
        let mut server =
            Running::start(ServeLimits { drain_timeout: Duration::from_secs(50), ..ServeLimits::default() }).await;
        let (mut open, mut idle, mut silent) = (server.connect().await, server.connect().await, server.connect().await);
        assert_eq!(idle.send(&echo("a")).await.status, 200);
        open.write(&waits().bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        server.stop();
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(idle.ended().await, "");
        assert_eq!(silent.ended().await, "");
        server.things.go.add_permits(1);
        let answer = open.answer().await;
        assert_eq!(answer.status, 200);
        assert_eq!(open.ended().await, "");
        server.ended.await.unwrap().unwrap();
    });
}

#[test]
fn stopping_does_not_wait_for_ever() {
    run(async {
        let limits = ServeLimits { drain_timeout: Duration::from_millis(100), ..ServeLimits::default() };
        let mut server = Running::start(limits).await;
        let mut open = server.connect().await;
        open.write(&waits().bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        server.stop();
        (&mut server.ended).await.unwrap().unwrap();
    });
}

#[test]
fn stopping_while_every_place_is_taken_works_too() {
    run(async {
        let limits = ServeLimits { connections_max: 1, ..ServeLimits::default() };
        let mut server = Running::start(limits).await;
        let mut open = server.connect().await;
        open.write(&waits().bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        let mut queued = server.connect().await;
        queued.write(&echo("a").bytes()).await;
        server.stop();
        assert_eq!(queued.ended().await, "", "one that was never accepted is cut off");
        server.things.go.add_permits(1);
        assert_eq!(open.answer().await.status, 200);
        (&mut server.ended).await.unwrap().unwrap();
    });
}

/// A connection of HTTP/2 with prior knowledge.
pub(crate) async fn http2(server: &Running) -> http2::SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The same request for HTTP/2, where the authority stands for the host.
pub(crate) fn for_http2(request: &Request) -> http::Request<Full<Bytes>> {
    let mut parts = request.parts.clone();
    let host = parts.headers.remove("host").unwrap();
    parts.uri = format!("http://{}{}", host.to_str().unwrap(), parts.uri.path_and_query().unwrap()).parse().unwrap();
    parts.version = http::Version::HTTP_2;
    http::Request::from_parts(parts, Full::new(Bytes::from(request.body.clone())))
}

pub(crate) async fn body_of(answer: http::Response<hyper::body::Incoming>) -> String {
    String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn http2_is_spoken_with_those_who_know() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = http2(&server).await;
        let answers: Vec<_> =
            (0..50).map(|n| tokio::spawn(client.send_request(for_http2(&echo(&format!("text{n}")))))).collect();
        for (n, answer) in answers.into_iter().enumerate() {
            let answer = answer.await.unwrap().unwrap();
            assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
            assert_eq!(body_of(answer).await, format!("{{\"String\":\"text{n}\"}}"));
        }
        let fails = Request::json("Fails", r#"{"Name":"good"}"#).signed("things");
        let told = body_of(client.send_request(for_http2(&fails)).await.unwrap()).await;
        assert!(told.contains("things.example:4566"), "{told}");
        let panics = Request::json("Panics", "").signed("things");
        assert_eq!(client.send_request(for_http2(&panics)).await.unwrap().status(), 500);
    });
}

#[test]
fn on_http2_a_body_that_is_too_large_costs_its_stream_alone() {
    run(async {
        let server = Running::start(ServeLimits { body_bytes_max: 1000, ..ServeLimits::default() }).await;
        let mut client = http2(&server).await;
        let answer = client.send_request(for_http2(&echo(&"x".repeat(2000)))).await.unwrap();
        assert_eq!(answer.status(), 413);
        assert!(answer.headers().get("connection").is_none());
        assert_eq!(client.send_request(for_http2(&echo("a"))).await.unwrap().status(), 200);
    });
}

#[test]
fn an_open_stream_of_http2_is_finished_when_the_server_stops() {
    run(async {
        let mut server =
            Running::start(ServeLimits { drain_timeout: Duration::from_secs(50), ..ServeLimits::default() }).await;
        let mut client = http2(&server).await;
        let open = tokio::spawn(client.send_request(for_http2(&waits())));
        server.things.waiting.acquire().await.unwrap().forget();
        server.stop();
        server.things.go.add_permits(1);
        assert_eq!(open.await.unwrap().unwrap().status(), 200);
        (&mut server.ended).await.unwrap().unwrap();
    });
}
