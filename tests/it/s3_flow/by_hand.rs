//! S3 request by request. Each has a connection of its own, so that one which gets no answer is not sent again by itself.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};
use tests::raw::{Answer, Connection, Request};
use tests::{REGION, Server};
use wire::sigv4::{Credentials, SignableBody, Signer};

use crate::security::now;

/// How long one request goes on being tried; a server is back within two seconds.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The largest object that has no file of its own, in bytes.
pub(crate) const INLINE_BYTES_MAX: usize = 8 * 1024;
/// How many bytes say whose they are.
const CELL: usize = 64;
const NOISE: usize = 1 << 16;

/// A caller.
#[derive(Debug, Clone)]
pub(crate) struct ByHand {
    address: SocketAddr,
    by: Credentials,
}

/// The bytes of a number: every piece of them says which number it is, and where it belongs.
pub(crate) fn content(number: u64, size: usize) -> Vec<u8> {
    static BLOCK: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
        (0..NOISE / 8).flat_map(|_| chance.next().to_le_bytes()).collect()
    });
    let mut bytes = BLOCK.repeat(size.div_ceil(NOISE));
    for (position, cell) in bytes.chunks_mut(CELL).enumerate() {
        cell[..8].copy_from_slice(&number.to_be_bytes());
        cell[8..16].copy_from_slice(&(position as u64).to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A generator of Marsaglia's.
#[derive(Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of so many.
    pub(crate) fn of(&mut self, many: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % many
    }
}

impl ByHand {
    #[track_caller]
    pub(crate) fn new(server: &Server, by: &Credentials) -> Self {
        Self { address: server.address(), by: by.clone() }
    }

    /// A request that is not signed yet.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        let mut request = Request::get(&self.address.to_string(), target);
        method.clone_into(&mut request.method);
        request
    }

    /// The same with a body.
    pub(crate) fn with_body(&self, method: &str, target: &str, body: Vec<u8>) -> Request {
        let mut request = self.request(method, target);
        request.body = body;
        request
    }

    fn bytes(&self, request: &Request, length: usize) -> Vec<u8> {
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(request.target.as_str());
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let (mut parts, ()) = builder.body(()).unwrap().into_parts();
        let signer = Signer { credentials: &self.by, region: REGION, service: "s3", at: now() };
        signer.sign(&mut parts, SignableBody::Unsigned).unwrap();
        let mut signed = request.clone();
        for (name, value) in &parts.headers {
            signed.set(name.as_str(), value.to_str().unwrap());
        }
        signed.head(&[("content-length", &length.to_string())])
    }

    /// Sends it once.
    pub(crate) fn try_send(&self, request: &Request) -> io::Result<Answer> {
        let mut bytes = self.bytes(request, request.body.len());
        bytes.extend_from_slice(&request.body);
        Connection::to(self.address).try_bytes(&bytes, false)
    }

    /// Sends it once; there is an answer.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// Sends it until there is an answer that is not the server's going down.
    #[track_caller]
    pub(crate) fn send_patiently(&self, request: &Request) -> Answer {
        let begun = Instant::now();
        loop {
            match self.try_send(request) {
                Ok(answer) if answer.status < 500 => return answer,
                said => assert!(begun.elapsed() < PATIENCE, "{} {}: {said:?}", request.method, request.target),
            }
            // It is down; whoever asks at once asks in vain.
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Sends it over a connection that is kept, as whoever sends thousands does; there is an answer.
    #[track_caller]
    pub(crate) fn send_over(&self, connection: &mut Connection, request: &Request) -> Answer {
        let mut bytes = self.bytes(request, request.body.len());
        bytes.extend_from_slice(&request.body);
        connection.send_bytes(&bytes)
    }

    /// A connection that is kept.
    pub(crate) fn connection(&self) -> Connection {
        Connection::to(self.address)
    }

    /// Sends a request up to the middle of its body; what has been sent so far, waiting for the rest.
    pub(crate) fn send_half(&self, request: &Request) -> io::Result<TcpStream> {
        let mut stream = self.send_head(request, request.body.len())?;
        stream.write_all(&request.body[..request.body.len() / 2])?;
        Ok(stream)
    }

    /// Sends a request up to its body, which is to be so long and is not waited for.
    pub(crate) fn send_head(&self, request: &Request, length: usize) -> io::Result<TcpStream> {
        let mut stream = Connection::to(self.address).open()?;
        stream.write_all(&self.bytes(request, length))?;
        Ok(stream)
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.send_patiently(&self.request("GET", target))
    }

    #[track_caller]
    pub(crate) fn put(&self, target: &str, body: Vec<u8>) -> Answer {
        self.send_patiently(&self.with_body("PUT", target, body))
    }

    /// A request for many objects of a bucket to be deleted.
    pub(crate) fn deletion(&self, bucket: &str, objects: &[(&str, Option<&str>)]) -> Request {
        let object = |(key, version): &(&str, Option<&str>)| {
            let version = version.map(|id| format!("<VersionId>{id}</VersionId>")).unwrap_or_default();
            format!("<Object><Key>{key}</Key>{version}</Object>")
        };
        let objects: String = objects.iter().map(object).collect();
        let body = format!("<Delete>{objects}</Delete>").into_bytes();
        let sum = BASE64.encode(Sha256::digest(&body));
        let mut request = self.with_body("POST", &format!("/{bucket}?delete"), body);
        request.set("x-amz-checksum-sha256", &sum);
        request
    }

    /// Makes a bucket whose events are told to the log.
    #[track_caller]
    pub(crate) fn make_bucket(&self, bucket: &str, is_versioned: bool) {
        self.put(&format!("/{bucket}"), Vec::new()).success();
        if is_versioned {
            let body = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
            self.put(&format!("/{bucket}?versioning"), body.into()).success();
        }
        let body = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
        self.put(&format!("/{bucket}?notification"), body.into()).success();
    }

    /// All keys, in pages of so many.
    #[track_caller]
    pub(crate) fn keys(&self, bucket: &str, page: usize) -> Vec<Listed> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let answer = self.get(&format!("/{bucket}?list-type=2&max-keys={page}{after}")).success();
            found.extend(answer.elements("Contents").iter().map(|text| Listed::of(text)));
            match answer.element("NextContinuationToken") {
                Some(token) => after = format!("&continuation-token={}", escaped(&token)),
                None => return found,
            }
        }
    }

    /// All versions of keys, and all delete markers, the newest of each key first.
    #[track_caller]
    pub(crate) fn versions(&self, bucket: &str, prefix: &str) -> Vec<ListedVersion> {
        let mut found = Vec::new();
        let mut after = String::new();
        loop {
            let answer = self.get(&format!("/{bucket}?versions&max-keys=100&prefix={prefix}{after}")).success();
            found.extend(versions_in(&answer.text()));
            match (answer.element("NextKeyMarker"), answer.element("NextVersionIdMarker")) {
                (Some(key), Some(id)) => after = format!("&key-marker={key}&version-id-marker={id}"),
                (Some(key), None) => after = format!("&key-marker={key}"),
                _ => return found,
            }
        }
    }
}

/// What a listing says of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size: usize,
}

impl Listed {
    fn of(text: &str) -> Self {
        Self { key: first(text, "Key"), size: first(text, "Size").parse().unwrap() }
    }
}

/// What a listing says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedVersion {
    pub(crate) key: String,
    pub(crate) id: String,
    pub(crate) is_marker: bool,
}

fn versions_in(text: &str) -> Vec<ListedVersion> {
    let mut found: Vec<(usize, ListedVersion)> = Vec::new();
    for (name, is_marker) in [("Version", false), ("DeleteMarker", true)] {
        for (at, text) in elements_of(text, name) {
            found.push((at, ListedVersion { key: first(text, "Key"), id: first(text, "VersionId"), is_marker }));
        }
    }
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, version)| version).collect()
}

fn first(text: &str, name: &str) -> String {
    elements_of(text, name).first().map(|(_, text)| (*text).to_owned()).unwrap_or_default()
}

/// The elements of a name, which have none of the same name in them, and where they are.
fn elements_of<'a>(text: &'a str, name: &str) -> Vec<(usize, &'a str)> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find(&open).map(|begin| at + begin + open.len()) {
        let Some(end) = text[begin..].find(&close).map(|end| begin + end) else { break };
        found.push((begin, &text[begin..end]));
        at = end + close.len();
    }
    found
}

/// What stands in the elements of a name.
pub(crate) trait Elements {
    fn elements(&self, name: &str) -> Vec<String>;
}

impl Elements for Answer {
    fn elements(&self, name: &str) -> Vec<String> {
        elements_of(&self.text(), name).into_iter().map(|(_, text)| text.to_owned()).collect()
    }
}

/// A text as it stands in a query.
pub(crate) fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The files in which a server has objects.
pub(crate) fn object_files(server: &Server) -> Vec<PathBuf> {
    let root = server.data_dir().join("objects");
    let is_object = |path: &PathBuf| path.parent() != Some(&root);
    files(&root).into_iter().filter(is_object).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
