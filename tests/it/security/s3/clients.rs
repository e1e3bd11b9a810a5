//! Clients that do not behave: slow ones, many of them, some that vanish, and requests hidden in others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use tests::raw::{Connection, Request};
use tests::{Account, Options, REGION, Server};
use wire::sigv4::SignableBody;

use super::yard::{PRIVATE, SECRET, Yard, signed, signed_as};
use crate::security::target::{now, whole};

const MIB: usize = 1 << 20;
/// How much more memory a client that stops half-way may cost, in bytes.
const CLIENT_MAX: u64 = 256 << 10;
const UPLOADS: usize = 300;
const READERS: usize = 150;

/// A server of its own with a bucket.
struct House {
    server: Server,
    account: Account,
    host: String,
}

impl House {
    fn new(configuration: &str) -> Self {
        let server = Server::start(Options { configuration: configuration.to_owned(), ..Options::default() });
        let (account, host) = (server.account(), server.address().to_string());
        let house = Self { server, account, host };
        house.send("PUT", "/yard", b"");
        house
    }

    fn request(&self, method: &str, target: &str, body: &[u8]) -> Request {
        let mut request = Request::get(&self.host, target);
        request.method = method.to_owned();
        request.body = body.to_vec();
        request
    }

    #[track_caller]
    fn send(&self, method: &str, target: &str, body: &[u8]) -> Vec<u8> {
        let request = signed(self.request(method, target, body), &self.account.root);
        Connection::to(self.server.address()).send(&request).success().body
    }

    fn open(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = Connection::to(self.server.address()).open().unwrap();
        stream.write_all(bytes).unwrap();
        stream
    }
}

#[test]
fn hundreds_of_uploads_that_never_end_keep_nobody_from_theirs_and_leave_nothing() {
    let house = House::new("");
    let unsigned = |target: &str| {
        let request = house.request("PUT", target, b"");
        signed_as(request, &house.account.root, SignableBody::Unsigned, REGION, now())
    };
    let before = house.server.memory_peak();
    let slow: Vec<TcpStream> = (0..UPLOADS)
        .map(|number| {
            let request = unsigned(&format!("/yard/slow-{number}"));
            let mut bytes = request.head(&[("content-length", &(64 * MIB).to_string())]);
            bytes.extend_from_slice(&vec![b'x'; 40_000]);
            house.open(&bytes)
        })
        .collect();
    for number in 0..20 {
        let key = format!("/yard/quick-{number}");
        house.send("PUT", &key, &vec![b'y'; 100_000]);
        assert_eq!(house.send("GET", &key, b"").len(), 100_000);
    }
    let grown = house.server.memory_peak().saturating_sub(before);
    assert!(grown < UPLOADS as u64 * CLIENT_MAX, "uploads that never end have cost {grown} bytes");
    drop(slow);
    let listed = String::from_utf8(house.send("GET", "/yard?prefix=slow", b"")).unwrap();
    assert!(!listed.contains("<Key>"), "{listed}");
}

#[test]
fn those_who_ask_for_much_and_read_nothing_cost_little() {
    let house = House::new("");
    house.send("PUT", "/yard/large", &vec![b'x'; 24 * MIB]);
    let before = house.server.memory_peak();
    let request = signed(house.request("GET", "/yard/large", b""), &house.account.root);
    let bytes = whole(&request);
    let readers: Vec<TcpStream> = (0..READERS).map(|_| house.open(&bytes)).collect();
    for reader in &readers {
        // The answer has begun.
        let mut line = String::new();
        BufReader::with_capacity(16, reader).read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
    }
    for number in 0..10 {
        house.send("PUT", &format!("/yard/small-{number}"), b"x");
    }
    let grown = house.server.memory_peak().saturating_sub(before);
    assert!(grown < READERS as u64 * CLIENT_MAX, "readers that do not read have cost {grown} bytes");
}

#[test]
fn who_takes_too_long_over_a_body_is_let_go() {
    let house = House::new("[limits]\nhead_timeout_ms = 300\nbody_timeout_ms = 300\n");
    let request =
        signed_as(house.request("PUT", "/yard/slow", b""), &house.account.root, SignableBody::Unsigned, REGION, now());
    let head = request.head(&[("content-length", "1000")]);
    let tagging = signed_as(
        house.request("PUT", "/yard?tagging", b""),
        &house.account.root,
        SignableBody::Unsigned,
        REGION,
        now(),
    );
    for bytes in [[&head[..], b"some"].concat(), tagging.head(&[("content-length", "1000")])] {
        let mut stream = house.open(&bytes);
        let mut said = Vec::new();
        // The read ends because the server closes; the stream's own limit would be an error.
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    let listed = String::from_utf8(house.send("GET", "/yard", b"")).unwrap();
    assert!(!listed.contains("<Key>"), "{listed}");
}

#[test]
fn an_upload_whose_sender_vanishes_leaves_what_was_there() {
    let mut yard = Yard::new();
    let root = yard.root();
    yard.put("kept", b"before");
    let target = yard.at("kept");
    let request = signed(yard.request("PUT", &target, &[], &vec![b'x'; MIB]), &root);
    let bytes = whole(&request);
    for cut in [bytes.len() - 1, bytes.len() / 2, bytes.len() - MIB] {
        let mut stream = yard.scene.connection.open().unwrap();
        stream.write_all(&bytes[..cut]).unwrap();
        drop(stream);
        assert_eq!(yard.content("kept").as_deref(), Some(&b"before"[..]), "cut at {cut}");
    }
}

#[test]
fn a_request_hidden_in_the_body_of_another_is_not_heard() {
    let mut yard = Yard::new();
    let root = yard.root();
    let deletion = whole(&signed(yard.request("DELETE", &yard.at(SECRET), &[], b""), &root));
    let stranger = yard.stranger().root;
    let (open, closed) = (yard.at("inbox"), yard.at("nowhere/x"));
    for (by, target) in
        [(None, &open), (Some(&stranger), &open), (Some(&root), &closed), (Some(&root), &"/_pilvi/x".to_owned())]
    {
        for method in ["PUT", "POST", "GET", "DELETE", "PATCH"] {
            let mut request = yard.request(method, target, &[], b"");
            if let Some(by) = by {
                request = signed_as(request, by, SignableBody::Unsigned, REGION, now());
            }
            let mut connection = Connection::to(yard.scene.server.address());
            let bytes = [request.head(&[("content-length", &deletion.len().to_string())]), deletion.clone()].concat();
            let _ = connection.try_bytes(&bytes, false);
            let next = connection.send(&Request::get(&yard.scene.host, "/_pilvi/ready"));
            assert_eq!((next.status, next.text().as_str()), (200, "ready\n"), "{method} {target}");
            assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()), "{method} {target}");
        }
    }
}

#[test]
fn where_a_body_ends_is_said_in_one_way() {
    let mut yard = Yard::new();
    let root = yard.root();
    let deletion = whole(&signed(yard.request("DELETE", &yard.at(SECRET), &[], b""), &root));
    let chunked = [b"0\r\n\r\n".to_vec(), deletion.clone()].concat();
    let length = chunked.len().to_string();
    for more in [
        &[("content-length", length.as_str()), ("transfer-encoding", "chunked")][..],
        &[("transfer-encoding", "chunked"), ("content-length", "0")],
        &[("transfer-encoding", "chunked"), ("transfer-encoding", "identity")],
        &[("transfer-encoding", "xchunked"), ("content-length", "0")],
        &[("transfer-encoding", " chunked"), ("content-length", "0")],
        &[("transfer-encoding", "chunked, chunked"), ("content-length", "0")],
        &[("transfer-encoding", "gzip, chunked"), ("content-length", "0")],
        &[("content-length", "0"), ("content-length", length.as_str())],
        &[("content-length", "+0")],
        &[("content-length", "0x0")],
        &[("content-length", "0, 0")],
        &[("content-length ", "0"), ("content-length", length.as_str())],
    ] {
        for declared in ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
            let request = yard.request("PUT", &yard.at("smuggled"), &[("x-amz-decoded-content-length", "0")], b"");
            let body = match declared {
                "UNSIGNED-PAYLOAD" => SignableBody::Unsigned,
                _ => SignableBody::Streaming(wire::sigv4::StreamingKind::UnsignedTrailer),
            };
            let request = signed_as(request, &root, body, REGION, now());
            let mut connection = Connection::to(yard.scene.server.address());
            let bytes = [request.head(more), chunked.clone()].concat();
            // Each is refused, or read to where its one length says that it ends; then there is no second answer that
            // anybody takes for theirs.
            if let Ok(answer) = connection.try_bytes(&bytes, true) {
                let is_closed = answer.header("connection") == Some("close");
                assert!(answer.status >= 400 || is_closed || answer.status == 200, "{more:?}: {}", answer.status);
            }
            let conflicting = more.iter().any(|(name, _)| *name == "transfer-encoding") || more.len() > 1;
            if conflicting {
                assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()), "{declared} {more:?}");
            }
            yard.put(SECRET, PRIVATE.as_bytes());
        }
    }
}

#[test]
fn who_asks_to_go_on_is_told_to_only_where_the_body_is_wanted() {
    let yard = Yard::new();
    let (root, stranger) = (yard.root(), yard.stranger().root);
    for (by, target, is_wanted) in [
        (Some(&root), yard.at("wanted"), true),
        (Some(&stranger), yard.at("wanted"), false),
        (None, yard.at("wanted"), false),
        (Some(&root), "/no-such-bucket-anywhere/x".to_owned(), false),
    ] {
        let mut request = yard.request("PUT", &target, &[], b"");
        if let Some(by) = by {
            request = signed_as(request, by, SignableBody::Unsigned, REGION, now());
        }
        let mut stream = yard.scene.connection.open().unwrap();
        stream.write_all(&request.head(&[("expect", "100-continue"), ("content-length", "4")])).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert_eq!(line.starts_with("HTTP/1.1 100"), is_wanted, "{target}: {line}");
        if is_wanted {
            reader.get_mut().write_all(b"body").unwrap();
            let mut rest = String::new();
            reader.read_line(&mut rest).unwrap();
            reader.read_line(&mut rest).unwrap();
            assert!(rest.contains("HTTP/1.1 200"), "{rest}");
        }
    }
}
