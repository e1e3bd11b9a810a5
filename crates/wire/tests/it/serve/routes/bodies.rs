//! Bodies of requests: taken, not taken, and not coming.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Method;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use wire::serve::{BodyError, ServeLimits};

use super::super::harness::{Request, run};
use super::stage::{Shelf, Stage, WAYS, Way, bytes_of};

/// A time that a test waits in full.
const SHORT: Duration = Duration::from_millis(400);

#[test]
fn a_body_comes_piece_by_piece_and_whole() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            for length in [0, 1, 16 * 1024, 1_000_001, 5 << 20] {
                let got = sender.send(Method::PUT, "/r/read", bytes_of(0..length)).await;
                assert_eq!((got.status, got.text()), (201, length.to_string()), "{way:?}");
            }
        }
    });
}

#[test]
fn a_body_in_chunks_comes_whole_and_has_no_declared_length() {
    run(async {
        let stage = Stage::new(Way::Http1).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("PATCH", "/r/read").head("transfer-encoding: chunked")).await;
        let whole = bytes_of(0..200_000);
        for piece in whole.chunks(7001) {
            client.write(format!("{:x}\r\n", piece.len()).as_bytes()).await;
            client.write(piece).await;
            client.write(b"\r\n").await;
        }
        client.write(b"0\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "200000");
        client.write(&Request::bare("PATCH", "/r/declared").head("transfer-encoding: chunked")).await;
        client.write(b"0\r\n\r\n").await;
        assert_eq!(client.answer().await.body, "None");
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("PATCH", "/r/declared").head("content-length: 7")).await;
        assert_eq!(client.answer().await.body, "Some(7)");
    });
}

#[test]
fn a_client_that_asks_first_is_told_to_go_on_when_its_body_is_wanted() {
    run(async {
        let stage = Stage::new(Way::Http1).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("PUT", "/r/read").head("content-length: 100000\r\nexpect: 100-continue")).await;
        assert_eq!(client.answer().await.status, 100);
        client.write(&bytes_of(0..100_000)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (201, "100000"));
        client.write(&Request::bare("PUT", "/r/none").head("content-length: 100000\r\nexpect: 100-continue")).await;
        let refused = client.answer().await;
        assert_eq!((refused.status, refused.header("connection")), (403, "close"), "it need not send anything");
        assert_eq!(client.ended().await, "");
    });
}

#[test]
fn a_short_body_that_nobody_takes_does_not_cost_the_connection() {
    run(async {
        let stage = Stage::new(Way::Http1).await;
        let mut client = stage.running.connect().await;
        for _ in 0..3 {
            client.write(&Request::bare("PUT", "/r/none").head("content-length: 60000")).await;
            let refused = client.answer().await;
            assert_eq!((refused.status, refused.header("connection")), (403, ""));
            // It comes when the answer is long there.
            client.write(&bytes_of(0..60_000)).await;
        }
        client.write(&Request::bare("PUT", "/r/begin").head("content-length: 30000")).await;
        client.write(&bytes_of(0..10)).await;
        assert_eq!(client.answer().await.status, 409);
        client.write(&bytes_of(10..30_000)).await;
        assert_eq!(client.send(&Request::bare("GET", "/r/bytes?length=3")).await.bytes, bytes_of(0..3));
    });
}

#[test]
fn a_client_that_sends_much_that_nobody_takes_still_hears_the_answer() {
    run(async {
        for path in ["/r/none", "/r/begin"] {
            for framing in ["content-length: 40000000", "transfer-encoding: chunked"] {
                let stage = Stage::new(Way::Http1).await;
                let mut client = stage.running.connect().await;
                client.write(&Request::bare("PUT", path).head(framing)).await;
                // All of it, before it looks whether there is an answer; 10 chunks of 4,000,000 bytes where there are chunks.
                let chunk = bytes_of(0..4_000_000);
                for _ in 0..10 {
                    if framing.starts_with("transfer") {
                        client.write(b"3d0900\r\n").await;
                    }
                    client.write(&chunk).await;
                    if framing.starts_with("transfer") {
                        client.write(b"\r\n").await;
                    }
                }
                let answer = client.answer().await;
                assert_eq!(answer.header("connection"), "close", "{path} {framing}");
                assert!(matches!(answer.status, 403 | 409));
                assert_eq!(client.ended().await, "");
            }
        }
    });
}

#[test]
fn a_secured_client_that_sends_much_that_nobody_takes_hears_the_answer() {
    run(async {
        for way in [Way::Http1Tls, Way::Http2, Way::Http2Tls] {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            let got = sender.send(Method::PUT, "/r/none", vec![0; 20_000_000]).await;
            assert_eq!((got.status, got.text().as_str()), (403, "refused"), "{way:?}");
        }
    });
}

#[test]
fn an_answer_of_the_api_before_the_body_is_heard_too() {
    run(async {
        let stage = Stage::new(Way::Http1).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::json("Echo", "").head("content-length: 30000000")).await;
        client.write(&vec![b' '; 30_000_000]).await;
        assert_eq!(client.answer().await.code(), "MissingAuthenticationTokenException");
    });
}

#[test]
fn a_client_that_vanishes_leaves_a_body_that_ended_early() {
    run(async {
        for way in WAYS {
            let stage = Arc::new(Stage::new(way).await);
            let client = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
            client.spawn({
                let stage = stage.clone();
                async move { stage.sender().await.send(Method::PUT, "/r/waits", bytes_of(0..30_000_000)).await.status }
            });
            stage.shelf.waiting.acquire().await.unwrap().forget();
            client.shutdown_background();
            stage.shelf.go.add_permits(1);
            stage.shelf.ended.acquire().await.unwrap().forget();
            assert_eq!(*stage.shelf.ends.lock().unwrap(), [Err(BodyError::Incomplete)], "{way:?}");
        }
    });
}

#[test]
fn a_connection_that_ends_or_is_reset_leaves_a_body_that_ended_early() {
    run(async {
        for is_reset in [false, true] {
            let stage = Stage::new(Way::Http1).await;
            let mut client = stage.running.connect().await;
            client.write(&Request::bare("PUT", "/r/read").head("content-length: 1000000")).await;
            client.write(&bytes_of(0..500_000)).await;
            if is_reset {
                client.stream.set_zero_linger().unwrap();
            } else {
                client.stream.shutdown().await.unwrap();
            }
            if is_reset {
                drop(client);
            } else {
                assert_eq!(client.answer().await.body, "Incomplete");
            }
            stage.shelf.ended.acquire().await.unwrap().forget();
            assert_eq!(*stage.shelf.ends.lock().unwrap(), [Err(BodyError::Incomplete)]);
        }
    });
}

#[test]
fn a_body_that_pauses_for_too_long_is_given_up() {
    run(async {
        let limits = ServeLimits { body_timeout: SHORT, ..ServeLimits::default() };
        let stage = Stage::with(Way::Http1, limits, Shelf::new()).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("PUT", "/r/read").head("content-length: 100")).await;
        client.write(&bytes_of(0..50)).await;
        let answer = client.answer().await;
        assert_eq!((answer.body.as_str(), answer.header("connection")), ("TimedOut", "close"));
        assert_eq!(client.ended().await, "");
    });
}

#[test]
fn a_body_that_keeps_coming_a_byte_at_a_time_is_given_up() {
    run(async {
        let limits = ServeLimits { body_timeout: SHORT, ..ServeLimits::default() };
        let stage = Stage::with(Way::Http1, limits, Shelf::new()).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("PUT", "/r/read").head("content-length: 100000")).await;
        let drip = async {
            for position in 0.. {
                if client.stream.write_all(&bytes_of(position..position + 1)).await.is_err() {
                    break;
                }
                tokio::time::sleep(SHORT / 20).await;
            }
        };
        tokio::select! {
            () = drip => {}
            ended = stage.shelf.ended.acquire() => ended.unwrap().forget(),
        }
        assert_eq!(client.answer().await.body, "TimedOut");
    });
}

#[test]
fn a_handler_that_takes_its_time_is_not_the_client_s_fault() {
    run(async {
        let limits = ServeLimits { body_timeout: SHORT, head_timeout: SHORT, ..ServeLimits::default() };
        for way in WAYS {
            let stage = Stage::with(way, limits, Shelf::new()).await;
            let mut sender = stage.sender().await;
            let sent =
                tokio::spawn(async move { sender.send(Method::PUT, "/r/waits", bytes_of(0..3_000_000)).await.status });
            stage.shelf.waiting.acquire().await.unwrap().forget();
            tokio::time::sleep(SHORT * 3).await;
            stage.shelf.go.add_permits(1);
            assert_eq!(sent.await.unwrap(), 200, "{way:?}");
        }
    });
}

/// A body that tells how much of it was left when its client gave it up or was done with it.
struct Telling {
    left: usize,
    told: Option<oneshot::Sender<usize>>,
}

impl Body for Telling {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let piece = self.left.min(16 * 1024);
        self.left -= piece;
        Poll::Ready((piece > 0).then(|| Ok(Frame::data(Bytes::from(vec![7; piece])))))
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = self.told.take().unwrap().send(self.left);
    }
}

#[test]
fn a_large_body_of_http_2_that_nobody_takes_may_be_sent_to_its_end() {
    run(async {
        let stage = Stage::new(Way::Http2).await;
        let io = TokioIo::new(TcpStream::connect(stage.running.address).await.unwrap());
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        // Refused by routes, by the server for want of a signature, and by its head alone.
        for (path, status) in [("/r/none", 403), ("/", 403), ("/r/begin", 409)] {
            let (told, left) = oneshot::channel();
            let request = http::Request::put(format!("http://localhost{path}")).header("host", "localhost");
            let body = Telling { left: 20 << 20, told: Some(told) };
            let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
            assert_eq!(answer.status(), status, "{path}");
            assert!(!answer.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
            assert_eq!(left.await, Ok(0), "{path}: the rest of a body was refused");
        }
    });
}
