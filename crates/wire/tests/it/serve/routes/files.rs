//! Files on their way: read slowly, not at all, cut short, and not in memory.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use http::Method;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream};
use wire::serve::ServeLimits;

use super::super::harness::{Client, Request, run};
use super::stage::{FILE_BYTES, Shelf, Stage, WAYS, Way, bytes_of};

/// A time that a test waits in full.
const SHORT: Duration = Duration::from_millis(400);

/// A file that fits no socket's buffers, most of it a hole.
fn large() -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_len(256 << 20).unwrap();
    file.write_all_at(&bytes_of(0..1000), 0).unwrap();
    file
}

/// A connection that takes in little at a time.
async fn narrow(stage: &Stage) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(stage.running.address).await.unwrap()
}

#[test]
fn a_client_that_reads_in_odd_bits_gets_every_byte() {
    run(async {
        let stage = Stage::new(Way::Http1).await;
        let mut client = Client::of(narrow(&stage).await);
        for (from, step) in [(0, 1499), (13, 4093), (1 << 20, 70_001)] {
            client.write(&Request::bare("GET", &format!("/r/file?from={from}")).head("a: b")).await;
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(client.stream.read_u8().await.unwrap());
            }
            let (mut position, mut bit) = (from, vec![0; step]);
            while position < FILE_BYTES {
                let length = step.min((FILE_BYTES - position) as usize);
                client.stream.read_exact(&mut bit[..length]).await.unwrap();
                assert!(bit[..length] == bytes_of(position..position + length as u64), "at {position}");
                position += length as u64;
            }
        }
    });
}

#[test]
fn a_client_that_stops_reading_loses_its_connection() {
    run(async {
        let limits = ServeLimits { head_timeout: SHORT, connections_max: 1, ..ServeLimits::default() };
        for way in [Way::Http1, Way::Http1Tls] {
            let stage = Stage::with(way, limits, Shelf::of(large())).await;
            let mut stuck = narrow(&stage).await;
            let request = Request::bare("GET", "/r/file?from=0&to=268435456").head("a: b");
            if way.is_tls() {
                let mut stuck = stage.secured(stuck).await;
                tokio::io::AsyncWriteExt::write_all(&mut stuck, &request).await.unwrap();
                // Its place is free again while it still has its end of the connection.
                assert_eq!(stage.get("/r/nothing").await.status, 204, "{way:?}");
                continue;
            }
            tokio::io::AsyncWriteExt::write_all(&mut stuck, &request).await.unwrap();
            assert_eq!(stage.get("/r/nothing").await.status, 204, "{way:?}");
        }
    });
}

#[test]
fn a_client_that_reads_slowly_keeps_its_connection() {
    run(async {
        let limits = ServeLimits { head_timeout: SHORT, ..ServeLimits::default() };
        let stage = Stage::with(Way::Http1, limits, Shelf::of(large())).await;
        let mut client = Client::of(narrow(&stage).await);
        client.write(&Request::bare("GET", "/r/file?from=0&to=268435456").head("a: b")).await;
        let mut taken = 0;
        let mut bit = vec![0; 512 * 1024];
        let begun = tokio::time::Instant::now();
        while begun.elapsed() < SHORT * 6 {
            client.stream.read_exact(&mut bit).await.unwrap();
            taken += bit.len();
            tokio::time::sleep(SHORT / 8).await;
        }
        assert!(taken < 256 << 20, "the test wants to be in the middle of it");
        client.stream.read_exact(&mut bit).await.unwrap();
    });
}

#[test]
fn a_file_that_is_cut_short_breaks_the_connection_off() {
    run(async {
        for way in WAYS {
            let file = large();
            let stage = Stage::with(way, ServeLimits::default(), Shelf::of(file.try_clone().unwrap())).await;
            file.set_len(100_000).unwrap();
            let mut sender = stage.sender().await;
            let got = sender.try_send(Method::GET, "/r/file?from=0&to=268435456", Vec::new()).await;
            // It may have been noticed before anything was said.
            let Ok(got) = got else { continue };
            assert_eq!((got.status, got.is_whole), (200, false), "{way:?}");
            assert_eq!(got.header("content-length"), "268435456");
            assert!(got.body.len() <= 100_000);
            assert!(got.body[..got.body.len().min(1000)] == bytes_of(0..got.body.len().min(1000) as u64));
        }
    });
}

#[test]
fn a_file_that_is_cut_short_while_it_is_sent_breaks_the_connection_off() {
    run(async {
        let file = large();
        let stage = Stage::with(Way::Http1, ServeLimits::default(), Shelf::of(file.try_clone().unwrap())).await;
        let mut client = Client::of(narrow(&stage).await);
        client.write(&Request::bare("GET", "/r/file?from=0&to=268435456").head("a: b")).await;
        let mut beginning = vec![0; 100_000];
        client.stream.read_exact(&mut beginning).await.unwrap();
        file.set_len(0).unwrap();
        let mut rest = Vec::new();
        // It ends, by an end or a reset, and is shorter than was told.
        let _ = client.stream.read_to_end(&mut rest).await;
        assert!(rest.len() < 250 << 20);
    });
}

#[test]
fn a_file_that_is_not_in_memory_is_fetched() {
    run(async {
        let mut file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::io::Write::write_all(&mut file, &bytes_of(0..FILE_BYTES)).unwrap();
        file.as_file().sync_all().unwrap();
        for way in WAYS {
            let handle = file.reopen().unwrap();
            let stage = Stage::with(way, ServeLimits::default(), Shelf::of(handle.try_clone().unwrap())).await;
            // Where the system does not follow this advice the test proves less, and holds.
            let _ = rustix::fs::fadvise(&handle, 0, None, rustix::fs::Advice::DontNeed);
            let got = stage.get(&format!("/r/file?from=0&to={FILE_BYTES}")).await;
            assert!(got.is_whole && got.body == bytes_of(0..FILE_BYTES), "{way:?}");
        }
    });
}
