//! What becomes of transfers when the server stops.

use std::time::Duration;

use http::Method;
use tokio::io::AsyncReadExt as _;
use wire::serve::ServeLimits;

use super::super::harness::{Request, run};
use super::stage::{FILE_BYTES, Shelf, Stage, WAYS, Way, bytes_of};

fn patient() -> ServeLimits {
    ServeLimits { drain_timeout: Duration::from_secs(50), ..ServeLimits::default() }
}

#[test]
fn a_server_that_stops_sends_what_it_has_begun_to_send() {
    run(async {
        let mut stage = Stage::with(Way::Http1, patient(), Shelf::new()).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("GET", "/r/file").head("a: b")).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.stream.read_u8().await.unwrap());
        }
        stage.running.stop();
        let mut body = Vec::new();
        client.stream.read_to_end(&mut body).await.unwrap();
        assert!(body == bytes_of(0..FILE_BYTES));
        stage.running.ended.await.unwrap().unwrap();
    });
}

#[test]
fn a_server_that_stops_takes_what_it_has_begun_to_take() {
    run(async {
        for way in WAYS {
            let mut stage = Stage::with(way, patient(), Shelf::new()).await;
            let mut sender = stage.sender().await;
            let sent =
                tokio::spawn(async move { sender.send(Method::PUT, "/r/waits", bytes_of(0..3_000_000)).await.status });
            stage.shelf.waiting.acquire().await.unwrap().forget();
            stage.running.stop();
            stage.shelf.go.add_permits(1);
            assert_eq!(sent.await.unwrap(), 200, "{way:?}");
            stage.running.ended.await.unwrap().unwrap();
            assert_eq!(*stage.shelf.ends.lock().unwrap(), [Ok(3_000_000)]);
        }
    });
}

#[test]
fn a_server_that_stops_does_not_wait_for_ever_for_a_client_that_does_not_read() {
    run(async {
        let limits = ServeLimits { drain_timeout: Duration::from_millis(100), ..ServeLimits::default() };
        let file = tempfile::tempfile().unwrap();
        file.set_len(256 << 20).unwrap();
        let mut stage = Stage::with(Way::Http1, limits, Shelf::of(file)).await;
        let mut client = stage.running.connect().await;
        client.write(&Request::bare("GET", "/r/file?from=0&to=268435456").head("a: b")).await;
        client.stream.read_u8().await.unwrap();
        stage.running.stop();
        stage.running.ended.await.unwrap().unwrap();
    });
}
