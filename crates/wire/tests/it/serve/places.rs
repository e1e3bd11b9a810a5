//! Clients that would keep their places among the connections, and more than their share of memory.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use wire::serve::ServeLimits;

use super::connections::{body_of, for_http2, http2};
use super::harness::{Request, Running, run};

/// Short enough to be waited for; nothing asserts that it was not longer.
const SHORT: Duration = Duration::from_secs(1);

fn impatient() -> ServeLimits {
    ServeLimits { head_timeout: SHORT, body_timeout: SHORT, ..ServeLimits::default() }
}

fn echo(size: usize) -> Request {
    Request::json("Echo", &format!("{{\"String\":\"{}\"}}", "x".repeat(size))).signed("things")
}

#[test]
fn a_client_that_does_not_read_its_answers_loses_its_connection() {
    run(async {
        let server = Running::start(impatient()).await;
        let mut client = server.connect().await;
        let many = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
        // Once neither side's buffers hold more, only the connection's end wakes the writer.
        while client.stream.write_all(&many).await.is_ok() {}
    });
}

#[test]
fn a_connection_of_http2_that_has_no_stream_is_closed() {
    run(async {
        let server = Running::start(impatient()).await;
        let stream = TcpStream::connect(server.address).await.unwrap();
        let handshake = http2::handshake::<_, _, Full<Bytes>>(TokioExecutor::new(), TokioIo::new(stream));
        let (mut client, connection) = handshake.await.unwrap();
        let ended = tokio::spawn(connection);
        let request = http::Request::get(format!("http://{}/health", server.address)).body(Full::default()).unwrap();
        assert_eq!(client.send_request(request).await.unwrap().status(), 200);
        // The client stays: it is the server that ends the connection.
        let _ = ended.await.unwrap();
        assert!(client.is_closed());
    });
}

#[test]
fn large_answers_that_nobody_reads_leave_room_for_small_ones_alone() {
    run(async {
        let limits = ServeLimits { answers_bytes_max: 4_500_000, ..ServeLimits::default() };
        let server = Running::start(limits).await;
        let mut client = http2(&server).await;
        let mut ask = async |size| client.send_request(for_http2(&echo(size))).await.unwrap();
        // More than the client takes of one stream before it is read.
        let unread = ask(4_000_000).await;
        assert_eq!(unread.status(), 200);
        assert_eq!(ask(4_000_000).await.status(), 503);
        assert_eq!(ask(1000).await.status(), 200);
        assert!(body_of(unread).await.len() > 4_000_000);
        assert_eq!(ask(4_000_000).await.status(), 200, "the room has been given back");
    });
}

#[test]
fn a_client_of_http2_has_one_request_for_itself_and_shares_further_ones() {
    run(async {
        let server = Running::start(ServeLimits { connections_max: 2, ..ServeLimits::default() }).await;
        let mut client = http2(&server).await;
        let waits = Request::json("Waits", "{}").signed("things");
        let mut waiting = Vec::new();
        for _ in 0..3 {
            waiting.push(client.send_request(for_http2(&waits)));
            server.things.waiting.acquire().await.unwrap().forget();
        }
        assert_eq!(client.send_request(for_http2(&echo(10))).await.unwrap().status(), 503);
        let mut other = http2(&server).await;
        assert_eq!(other.send_request(for_http2(&echo(10))).await.unwrap().status(), 200, "its own");
        server.things.go.add_permits(3);
        for one in waiting {
            assert_eq!(one.await.unwrap().status(), 200);
        }
        assert_eq!(client.send_request(for_http2(&echo(10))).await.unwrap().status(), 200);
    });
}

#[test]
fn requests_of_http2_that_are_taken_back_keep_their_places_while_their_handlers_work() {
    run(async {
        let server = Running::start(ServeLimits { connections_max: 1, ..ServeLimits::default() }).await;
        let mut client = http2(&server).await;
        let waits = Request::json("Waits", "{}").signed("things");
        for _ in 0..2 {
            let taken_back = client.send_request(for_http2(&waits));
            server.things.waiting.acquire().await.unwrap().forget();
            drop(taken_back);
        }
        assert_eq!(client.send_request(for_http2(&echo(10))).await.unwrap().status(), 503);
        server.things.go.add_permits(2);
        while client.send_request(for_http2(&echo(10))).await.unwrap().status() == 503 {}
    });
}

#[test]
fn small_answers_that_nobody_reads_keep_their_places() {
    run(async {
        let server = Running::start(ServeLimits { connections_max: 2, ..ServeLimits::default() }).await;
        // It takes nothing of any stream before it reads.
        let stream = TcpStream::connect(server.address).await.unwrap();
        let mut shy = http2::Builder::new(TokioExecutor::new());
        let shy = shy.initial_stream_window_size(0).handshake::<_, Full<Bytes>>(TokioIo::new(stream));
        let (mut client, connection) = shy.await.unwrap();
        tokio::spawn(connection);
        let mut unread = Vec::new();
        for _ in 0..3 {
            unread.push(client.send_request(for_http2(&echo(10_000))).await.unwrap());
        }
        assert_eq!(client.send_request(for_http2(&echo(10))).await.unwrap().status(), 503);
        drop(unread);
        while client.send_request(for_http2(&echo(10))).await.unwrap().status() == 503 {}
    });
}

#[test]
fn a_body_that_drips_is_given_up() {
    run(async {
        let server = Running::start(impatient()).await;
        let mut client = server.connect().await;
        client.write(&echo(100_000).head("content-length: 100000")).await;
        let (mut reader, mut writer) = client.stream.split();
        let drip = async {
            // Often enough that no pause is too long.
            while writer.write_all(b"x").await.is_ok() {
                tokio::time::sleep(SHORT / 10).await;
            }
            std::future::pending::<String>().await
        };
        let mut answer = vec![0; 4096];
        let told = tokio::select! {
            told = drip => told,
            read = tokio::io::AsyncReadExt::read(&mut reader, &mut answer) => {
                String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned()
            }
        };
        assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("connection: close"), "{told}");
    });
}

#[test]
fn no_body_is_read_for_who_cannot_have_signed_the_hash_that_is_declared() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut client = server.connect().await;
        let head = String::from_utf8(echo(10).head("content-length: 10")).unwrap();
        let hash = "0".repeat(64);
        let forged = head.replacen("\r\n", &format!("\r\nx-amz-content-sha256: {hash}\r\n"), 1);
        client.write(forged.as_bytes()).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidSignatureException"));
    });
}

#[test]
fn large_bodies_beyond_the_room_are_refused_while_small_ones_are_served() {
    run(async {
        let limits = ServeLimits { body_bytes_max: 300_000, bodies_bytes_max: 0, ..ServeLimits::default() };
        let server = Running::start(limits).await;
        let large = echo(250_000);
        let mut first = server.connect().await;
        first.write(&Request::json("Waits", &" ".repeat(250_000)).signed("things").bytes()).await;
        server.things.waiting.acquire().await.unwrap().forget();
        let refused = server.send(&large).await;
        assert_eq!((refused.status, refused.code().as_str()), (503, "ServiceUnavailable"));
        assert_eq!(server.send(&echo(1000)).await.status, 200);
        server.things.go.add_permits(1);
        assert_eq!(first.answer().await.status, 200);
        assert_eq!(server.send(&large).await.status, 200, "the room has been given back");
    });
}
