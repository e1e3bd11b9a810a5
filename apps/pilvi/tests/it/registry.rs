//! A registry with one image, on plain HTTP: enough of one to pull from.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// `AWS:secret`, in base64, which is who may pull.
pub(crate) const LOGIN: &str = "QVdTOnNlY3JldA==";

/// A registry that answers until the test ends.
pub(crate) struct Registry {
    /// Its host and port.
    pub(crate) address: String,
    /// The digest of its image.
    pub(crate) manifest: String,
    /// How large the image's one layer is, in bytes.
    pub(crate) layer_bytes: usize,
    shared: Arc<Shared>,
}

struct Shared {
    /// What there is, by path, with its type.
    content: BTreeMap<String, (&'static str, Vec<u8>)>,
    /// The layer's path.
    layer: String,
    /// After how many bytes of the layer nothing more is sent, while the connection stays open.
    stalls_at: Mutex<Option<usize>>,
    /// The ranges of the layer that were asked for, and whether those who asked hung up.
    asked: Mutex<Vec<Option<String>>>,
    hung_up: Mutex<usize>,
}

impl Registry {
    pub(crate) fn start() -> Self {
        let layer = tar_of_one_file(&vec![b'x'; 300_000]);
        let layer_digest = digest(&layer);
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let config = json!({
            "architecture": architecture, "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": [layer_digest] }
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(&config), "size": config.len()
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer_digest, "size": layer.len()
            }]
        });
        let manifest = manifest.to_string().into_bytes();
        let manifest_digest = digest(&manifest);
        let layer_bytes = layer.len();
        let blob = |digest: &str| format!("/v2/app/blobs/{digest}");
        let content = BTreeMap::from([
            ("/v2/app/manifests/v1".to_owned(), (MANIFEST, manifest.clone())),
            (format!("/v2/app/manifests/{manifest_digest}"), (MANIFEST, manifest)),
            (blob(&digest(&config)), ("application/octet-stream", config)),
            (blob(&layer_digest), ("application/octet-stream", layer)),
        ]);
        let (stalls_at, asked, hung_up) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { content, layer: blob(&layer_digest), stalls_at, asked, hung_up });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = serving.clone();
                // A client that hangs up in the middle is what some tests are about.
                std::thread::spawn(move || drop(shared.answer(stream)));
            }
        });
        Self { address, manifest: manifest_digest, layer_bytes, shared }
    }

    /// Sends only so much of the layer from now on, and then nothing; or all again.
    pub(crate) fn stall_at(&self, bytes: Option<usize>) {
        *self.shared.stalls_at.lock().unwrap() = bytes;
    }

    /// The ranges of the layer that were asked for.
    pub(crate) fn asked(&self) -> Vec<Option<String>> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// How many hung up on a layer that came no further.
    pub(crate) fn hung_up(&self) -> usize {
        *self.shared.hung_up.lock().unwrap()
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut head, mut line) = (Vec::new(), String::new());
        while reader.read_line(&mut line)? > 2 {
            head.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        let header = |name: &str| {
            head.iter().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let mut request = head[0].split(' ');
        let (method, path) = (request.next().unwrap_or_default(), request.next().unwrap_or_default());
        if header("authorization") != Some(format!("Basic {LOGIN}")) {
            return stream.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"test\"\r\nContent-Length: 0\r\n\
                  Connection: close\r\n\r\n",
            );
        }
        let Some((media_type, content)) = self.content.get(path) else {
            return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        };
        let range = header("range");
        let from = range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
        let from: usize = from.unwrap_or_default();
        let (status, rest) = (if range.is_some() { "206 Partial Content" } else { "200 OK" }, &content[from..]);
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\n\
             Docker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
            rest.len(),
            content.len() - 1,
            content.len(),
            digest(content),
        )?;
        if method == "HEAD" {
            return Ok(());
        }
        let is_layer = path == self.layer;
        if is_layer {
            self.asked.lock().unwrap().push(range);
        }
        let stalls_at = *self.stalls_at.lock().unwrap();
        match stalls_at.filter(|_| is_layer) {
            None => stream.write_all(rest),
            Some(bytes) => {
                stream.write_all(&rest[..bytes])?;
                // Nothing more is asked on this connection: what is read is its end.
                let _ = reader.read(&mut [0; 1]);
                *self.hung_up.lock().unwrap() += 1;
                Ok(())
            }
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn tar_of_one_file(content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "file", content).unwrap();
    archive.into_inner().unwrap()
}
