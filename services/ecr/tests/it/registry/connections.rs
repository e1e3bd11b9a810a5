//! Clients that go away, stand still or come back, over connections of their own.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::Client;
use super::*;

/// How long a test waits for what has to come.
const DEADLINE: Duration = Duration::from_secs(60);

/// A connection on which a request has been begun.
struct Begun {
    stream: TcpStream,
}

struct Server {
    client: Client,
    address: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let client = Client::new();
        client.api.repository("web").await;
        let address = client.serve().await;
        Self { client, address }
    }

    /// Sends a request's head and some of its body.
    async fn begin(&self, head: &str, length: usize, body: &[u8]) -> Begun {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let authorization = self.client.authorization.as_ref().unwrap();
        let head = format!("{head}host: {HOST}\r\nauthorization: {authorization}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        Begun { stream }
    }

    /// Waits until an upload has so many bytes and nobody writes to it.
    async fn until_received(&self, at: &str, length: usize) {
        let range = format!("0-{}", length.saturating_sub(1));
        let wait = async {
            while self.client.get(at).await.expect(204).header("range") != range {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("the upload gets its bytes");
    }

    /// Waits until there is no upload, and no file of one.
    async fn until_nothing_is_left(&self) {
        let wait = async {
            loop {
                let records = self.client.api.keys().await.iter().filter(|key| key.contains("/upload/")).count();
                let files = self.client.api.ecr.content.uploads().await.unwrap().len();
                if (records, files) == (0, 0) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("what is left goes");
    }
}

impl Begun {
    /// The status of the answer.
    async fn status(mut self) -> u16 {
        let mut text = Vec::new();
        let read = tokio::time::timeout(DEADLINE, async {
            while !text.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 1024];
                let read = self.stream.read(&mut buffer).await.unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&text));
                text.extend_from_slice(&buffer[..read]);
            }
        });
        read.await.expect("there is an answer");
        let text = String::from_utf8(text).unwrap();
        text.strip_prefix("HTTP/1.1 ").unwrap()[..3].parse().unwrap()
    }
}

/// Some bytes, more than are handed to the disk at once.
fn bytes() -> Vec<u8> {
    (0..700_000).map(|at| (at % 251) as u8).collect()
}

#[tokio::test]
async fn a_client_that_went_away_goes_on_where_it_was() {
    let server = Server::start().await;
    let (client, bytes) = (&server.client, bytes());
    let at = client.begin("web").await;
    let begun = server.begin(&format!("PATCH {at} HTTP/1.1\r\n"), bytes.len(), &bytes[..600_000]).await;
    drop(begun);
    server.until_received(&at, 600_000).await;
    let headers = [("content-range", "600000-699999")];
    client.send("PATCH", &at, &headers, &bytes[600_000..]).await.expect(202);
    let digest = digest_of(&bytes);
    client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await.expect(201);
    assert_eq!(client.get(&format!("/v2/web/blobs/{digest}")).await.body, bytes);
}

#[tokio::test]
async fn a_client_that_comes_back_need_not_wait_for_its_old_connection() {
    let server = Server::start().await;
    let (client, bytes) = (&server.client, bytes());
    let at = client.begin("web").await;
    // Nobody closes this one.
    let old = server.begin(&format!("PATCH {at} HTTP/1.1\r\n"), bytes.len(), &bytes[..600_000]).await;
    // Some of it has been stored, and whoever asks is told, though the request goes on.
    let stored = async {
        while client.get(&at).await.expect(204).header("range") == "0-0" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stored).await.expect("some of it is stored");
    // What comes next is not known yet: the old request ends now, with all that has come.
    let answer = client.send("PATCH", &at, &[("content-range", "1-2")], b"xx").await;
    answer.refuses(416, "BLOB_UPLOAD_INVALID");
    let received: usize = answer.header("range").strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
    assert!(received <= 600_000);
    let range = format!("{received}-{}", bytes.len() - 1);
    client.send("PATCH", &at, &[("content-range", &range)], &bytes[received..]).await.expect(202);
    assert_eq!(old.status().await, 400);
    client.send("PUT", &format!("{at}?digest={}", digest_of(&bytes)), &[], b"").await.expect(201);
}

#[tokio::test]
async fn an_upload_is_cancelled_though_somebody_writes_to_it() {
    let server = Server::start().await;
    let (client, bytes) = (&server.client, bytes());
    let at = client.begin("web").await;
    let old = server.begin(&format!("PATCH {at} HTTP/1.1\r\n"), bytes.len(), &bytes[..600_000]).await;
    let stored = async {
        while client.get(&at).await.expect(204).header("range") == "0-0" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stored).await.expect("some of it is stored");
    client.delete(&at).await.expect(204);
    assert_eq!(old.status().await, 400);
    server.until_nothing_is_left().await;
}

#[tokio::test]
async fn of_a_blob_that_was_to_come_at_once_nothing_is_left() {
    let server = Server::start().await;
    let bytes = bytes();
    let path = format!("/v2/web/blobs/uploads/?digest={}", digest_of(&bytes));
    let begun = server.begin(&format!("POST {path} HTTP/1.1\r\n"), bytes.len(), &bytes[..600_000]).await;
    drop(begun);
    // The request may not have been seen yet: there is nothing before it, either.
    server.until_nothing_is_left().await;
    server.client.get(&format!("/v2/web/blobs/{}", digest_of(&bytes))).await.refuses(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_last_piece_that_broke_off_can_be_sent_again() {
    let server = Server::start().await;
    let (client, bytes) = (&server.client, bytes());
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[], &bytes[..1000]).await.expect(202);
    let put = format!("{at}?digest={}", digest_of(&bytes));
    let rest = bytes.len() - 1000;
    let begun = server.begin(&format!("PUT {put} HTTP/1.1\r\n"), rest, &bytes[1000..650_000]).await;
    let stored = async {
        while client.get(&at).await.expect(204).header("range") == "0-999" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, stored).await.expect("some of it is stored");
    drop(begun);
    server.until_received(&at, 1000).await;
    client.send("PUT", &put, &[], &bytes[1000..]).await.expect(201);
}

#[tokio::test]
async fn what_need_not_be_sent_is_answered_before_it_is() {
    let server = Server::start().await;
    let bytes = bytes();
    for (head, length, status) in [
        ("PUT /v2/web/manifests/v1 HTTP/1.1\r\n", 5 * 1024 * 1024, 413),
        ("PUT /v2/gone/manifests/v1 HTTP/1.1\r\n", 1000, 404),
        ("POST /v2/gone/blobs/uploads/?digest=sha256:x HTTP/1.1\r\n", 1_000_000, 400),
        ("PATCH /v2/web/blobs/uploads/0123abcd-0123-4123-8123-0123456789ab HTTP/1.1\r\n", 1_000_000, 404),
    ] {
        let begun = server.begin(head, length, &bytes[..100]).await;
        assert_eq!(begun.status().await, status, "{head}");
    }
    let at = server.client.begin("web").await;
    let head = format!("PATCH {at} HTTP/1.1\r\n");
    assert_eq!(server.begin(&head, 60_000 * 1024 * 1024, b"x").await.status().await, 413);
}
