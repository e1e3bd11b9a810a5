//! What one client can make the server hold, and for how long.

use std::time::Duration;

use wire::serve::ServeLimits;

use crate::fixture::WEIGHED_BYTES_MAX;

use super::harness::{Answer, Client, Request, Running, run};

/// Short enough to be waited for; nothing asserts that it was not longer.
const SHORT: Duration = Duration::from_secs(1);
const BODY_MAX: usize = 10_000;

fn small() -> ServeLimits {
    ServeLimits { body_bytes_max: BODY_MAX, ..ServeLimits::default() }
}

/// A valid input of exactly `size` bytes.
fn body(size: usize) -> String {
    format!("{{\"String\":\"{}\"}}", "x".repeat(size - 13))
}

fn echo(size: usize) -> Request {
    Request::json("Echo", &body(size)).signed("things")
}

fn chunked(request: &Request) -> Vec<u8> {
    let mut bytes = request.head("transfer-encoding: chunked");
    for chunk in request.body.chunks(999) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

#[test]
fn a_body_may_be_as_large_as_the_limit() {
    run(async {
        let server = Running::start(small()).await;
        assert_eq!(server.send(&echo(BODY_MAX)).await.status, 200);
        let mut client = server.connect().await;
        client.write(&chunked(&echo(BODY_MAX))).await;
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn an_operation_may_have_larger_bodies_than_the_others() {
    run(async {
        // There is room for one of them even where little is left to bodies.
        let server = Running::start(ServeLimits { bodies_bytes_max: 0, ..small() }).await;
        let weighs = |size| Request::json("Weighs", &body(size)).signed("things");
        assert_eq!(server.send(&weighs(WEIGHED_BYTES_MAX)).await.status, 200);
        let answer = server.send(&weighs(WEIGHED_BYTES_MAX + 1)).await;
        assert_eq!(told(&answer), (413, "RequestEntityTooLargeException".to_owned()));
        assert_eq!(server.send(&echo(BODY_MAX + 1)).await.status, 413, "it alone may");
        let mut client = server.connect().await;
        client.write(&chunked(&weighs(WEIGHED_BYTES_MAX))).await;
        assert_eq!(client.answer().await.status, 200);
        let cbor = Request::cbor("Weighs", vec![b' '; WEIGHED_BYTES_MAX]).signed("meters");
        assert_ne!(server.send(&cbor).await.status, 413, "a path tells the operation as a target does");
        // A form tells its operation too late.
        let form = format!("Action=Weighs&Version=2010-05-08&String={}", "x".repeat(BODY_MAX));
        assert_eq!(server.send(&Request::form(&form).signed("forms")).await.status, 413);
    });
}

#[test]
fn a_body_that_is_declared_too_large_is_refused_unread() {
    run(async {
        let server = Running::start(small()).await;
        let mut client = server.connect().await;
        client.write(&echo(BODY_MAX + 1).head(&format!("content-length: {}", BODY_MAX + 1))).await;
        let answer = client.answer().await;
        assert_eq!(told(&answer), (413, "RequestEntityTooLargeException".to_owned()));
        assert_eq!(answer.header("connection"), "close");
        client.ended().await;
        assert_eq!(*server.observed.lock().unwrap(), [("", "", 413)]);
    });
}

#[test]
fn a_body_that_grows_too_large_is_refused() {
    run(async {
        let server = Running::start(small()).await;
        let mut client = server.connect().await;
        client.write(&chunked(&echo(BODY_MAX + 1))).await;
        let answer = client.answer().await;
        assert_eq!(told(&answer), (413, "RequestEntityTooLargeException".to_owned()));
        assert_eq!(answer.header("connection"), "close");
    });
}

#[test]
fn a_body_that_ends_early_is_incomplete() {
    run(async {
        use tokio::io::AsyncWriteExt as _;
        let server = Running::start(small()).await;
        for broken in [&b"{\"Str"[..], b""] {
            let mut client = server.connect().await;
            client.write(&echo(100).head("content-length: 100")).await;
            client.write(broken).await;
            client.stream.shutdown().await.unwrap();
            assert_eq!(told(&client.answer().await), (400, "IncompleteBody".to_owned()));
        }
        let mut client = server.connect().await;
        client.write(&echo(100).head("transfer-encoding: chunked")).await;
        client.write(b"no chunk\r\n").await;
        assert_eq!(told(&client.answer().await), (400, "IncompleteBody".to_owned()));
        assert_eq!(server.send(&echo(100)).await.status, 200, "the server goes on");
    });
}

#[test]
fn a_body_that_never_comes_is_given_up() {
    run(async {
        let server = Running::start(ServeLimits { body_timeout: SHORT, ..small() }).await;
        let mut client = server.connect().await;
        client.write(&echo(100).head("content-length: 100")).await;
        client.write(b"{\"Str").await;
        assert_eq!(told(&client.answer().await), (408, "RequestTimeout".to_owned()));
    });
}

#[test]
fn the_body_of_somebody_unknown_is_not_read() {
    run(async {
        let server = Running::start(small()).await;
        let mut client = server.connect().await;
        client.write(&Request::json("Echo", &body(100)).head("content-length: 100\r\nexpect: 100-continue")).await;
        assert_eq!(told(&client.answer().await), (400, "MissingAuthenticationTokenException".to_owned()));
        let mut client = server.connect().await;
        let known = echo(100);
        client.write(&known.head("content-length: 100\r\nexpect: 100-continue")).await;
        assert_eq!(client.answer().await.status, 100, "somebody known may go on");
        client.write(&known.body).await;
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn a_head_beyond_the_limit_is_refused() {
    run(async {
        let server = Running::start(ServeLimits { head_bytes_max: 16 * 1024, ..small() }).await;
        let large = Request::bare("GET", "/").header("x-large", &"x".repeat(100_000));
        let mut client = server.connect().await;
        // The server may hang up before it has all been sent.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &large.bytes()).await;
        let heard = client.ended().await;
        assert!(heard.is_empty() || heard.starts_with("HTTP/1.1 431 "), "{heard}");
        let many: String = (0..1000).map(|n| format!("x-{n}: y\r\n")).collect();
        let mut client = server.connect().await;
        client.write(&Request::bare("GET", "/").head(&format!("{many}a: b"))).await;
        assert!(client.ended().await.starts_with("HTTP/1.1 431 "));
        assert_eq!(server.send(&echo(100)).await.status, 200, "the server goes on");
    });
}

#[test]
fn a_client_that_does_not_get_to_the_point_loses_its_connection() {
    run(async {
        let server = Running::start(ServeLimits { head_timeout: SHORT, ..small() }).await;
        for begin in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n\r\n", b"POST / HT", b"POST / HTTP/1.1\r\nhost: x\r\n"] {
            let mut client = server.connect().await;
            client.write(begin).await;
            let heard = client.ended().await;
            assert!(!heard.starts_with("HTTP/1.1 200"), "{begin:?}: {heard}");
        }
        let mut client = server.connect().await;
        client.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        client.ended().await;
    });
}

#[test]
fn an_idle_connection_is_closed() {
    run(async {
        let server = Running::start(ServeLimits { head_timeout: SHORT, ..small() }).await;
        let mut client = server.connect().await;
        assert_eq!(client.send(&echo(100)).await.status, 200);
        assert_eq!(client.ended().await, "");
    });
}

#[test]
fn a_handler_may_take_longer_than_a_head() {
    run(async {
        let server = Running::start(ServeLimits { head_timeout: SHORT, body_timeout: SHORT, ..small() }).await;
        let mut client = server.connect().await;
        client.write(&Request::json("Waits", "").signed("things").bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        tokio::time::sleep(SHORT * 2).await;
        server.things.go.add_permits(1);
        assert_eq!(client.answer().await.status, 200);
    });
}

#[test]
fn more_connections_than_allowed_wait_for_their_turn() {
    run(async {
        let server = Running::start(ServeLimits { connections_max: 2, ..small() }).await;
        let waits = Request::json("Waits", "").signed("things").bytes();
        let mut first: Vec<Client> = Vec::new();
        for _ in 0..2 {
            let mut client = server.connect().await;
            client.write(&waits).await;
            server.things.waiting.acquire().await.unwrap().forget();
            first.push(client);
        }
        let mut later: Vec<Client> = Vec::new();
        for _ in 0..5 {
            let mut client = server.connect().await;
            client.write(&Request::json("Nothing", "").signed("things").bytes()).await;
            later.push(client);
        }
        // They are not served in the meantime, however long that is.
        tokio::time::sleep(SHORT).await;
        assert!(server.observed.lock().unwrap().is_empty());
        server.things.go.add_permits(2);
        for mut client in first {
            assert_eq!(client.answer().await.status, 200);
        }
        for mut client in later {
            assert_eq!(client.answer().await.status, 200);
        }
    });
}
