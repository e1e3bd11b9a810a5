//! More than fits, in each direction, in a process of its own whose memory is looked at.

use std::os::unix::fs::FileExt as _;

use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wire::serve::ServeLimits;

use super::super::harness::{Request, run};
use super::stage::{Shelf, Stage, Way};

const LARGE: u64 = 256 << 20;
/// What server and client may take in all while it passes, in KiB.
const MEMORY_KIB_MAX: u64 = 64 * 1024;
/// Tells the process that runs the test below which way to go.
const WAY: &str = "WIRE_TEST_WAY";

#[test]
fn large_bodies_pass_through_little_memory() {
    match std::env::var(WAY).as_deref() {
        Ok("plain") => pass_on(Way::Http1),
        Ok(_) => pass_on(Way::Http1Tls),
        Err(_) => ["plain", "secured"].into_iter().for_each(in_a_process_of_its_own),
    }
}

fn in_a_process_of_its_own(way: &str) {
    let itself = ["--exact", "serve::routes::memory::large_bodies_pass_through_little_memory"];
    let mut process = std::process::Command::new(std::env::current_exe().unwrap());
    let output = process.args(itself).env(WAY, way).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{way}: {told}");
}

fn pass_on(way: Way) {
    run(async move {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LARGE).unwrap();
        file.write_all_at(b"the end", LARGE - 7).unwrap();
        let stage = Stage::with(way, ServeLimits::default(), Shelf::of(file)).await;
        let stream = TcpStream::connect(stage.running.address).await.unwrap();
        if way.is_tls() { pass(stage.secured(stream).await).await } else { pass(stream).await }
    });
    let peak = peak_memory_kib();
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
}

async fn pass(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    let piece = Bytes::from(vec![7; 128 * 1024]);
    stream.write_all(&Request::bare("PUT", "/r/count").head(&format!("content-length: {LARGE}"))).await.unwrap();
    for _ in 0..LARGE / piece.len() as u64 {
        stream.write_all(&piece).await.unwrap();
    }
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let mut counted = [0; 9];
    stream.read_exact(&mut counted).await.unwrap();
    assert_eq!(&counted, b"268435456");
    stream.write_all(&Request::bare("GET", &format!("/r/file?from=0&to={LARGE}")).head("a: b")).await.unwrap();
    assert!(head(&mut stream).await.starts_with("HTTP/1.1 200 "));
    let (mut left, mut buffer) = (LARGE, vec![0; piece.len()]);
    while left > 0 {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "{left} bytes are missing");
        left -= count as u64;
        if left == 0 {
            assert!(buffer[..count].ends_with(b"the end"));
        }
    }
}

async fn head(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
