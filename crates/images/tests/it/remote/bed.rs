//! A registry's stock, a client with little patience, and a place for what comes.

use std::collections::HashMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use blobs::Blobs;
use images::remote::{
    Arrival, Config, Credentials, Downloads, Fetched, Progress, Proxies, Proxy, Registries, RemoteError, RemoteLimits,
    Timeouts,
};
use images::{Algorithm, BlobSource, Descriptor, Digest, Platform};
use tempfile::TempDir;

use super::fake::{Fake, FakeProxy, Reply, Seen};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const FOREIGN: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/// What a registry has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stock {
    pub(crate) blobs: HashMap<String, Vec<u8>>,
    /// By tag and by digest.
    manifests: HashMap<String, (String, Vec<u8>)>,
}

/// Bytes that are the same each time and compress badly.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    use base::{Rng as _, SeededRng};
    let mut bytes = vec![0; length];
    SeededRng::new(seed).fill(&mut bytes);
    bytes
}

pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, platform: None }
}

impl Stock {
    /// One image for amd64 under the tag `v1`, with these layers.
    pub(crate) fn image(layers: &[Vec<u8>]) -> (Self, Descriptor) {
        let mut stock = Self::default();
        let root = stock.add("v1", "amd64", layers);
        (stock, root)
    }

    /// Adds an image. Its layers' archives are not looked at here: any digest will do for them.
    pub(crate) fn add(&mut self, tag: &str, architecture: &str, layers: &[Vec<u8>]) -> Descriptor {
        let layers: Vec<Descriptor> = layers.iter().map(|layer| self.blob(LAYER, layer)).collect();
        self.add_with(tag, architecture, &serde_json::to_value(&layers).unwrap())
    }

    pub(crate) fn add_with(&mut self, tag: &str, architecture: &str, layers: &serde_json::Value) -> Descriptor {
        let diff_ids: Vec<&serde_json::Value> = layers.as_array().unwrap().iter().map(|it| &it["digest"]).collect();
        let rootfs = serde_json::json!({"type": "layers", "diff_ids": diff_ids});
        let config = serde_json::json!({"os": "linux", "architecture": architecture, "rootfs": rootfs});
        let config = self.blob(CONFIG, config.to_string().as_bytes());
        let manifest =
            serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        self.manifest(tag, MANIFEST, manifest.to_string().as_bytes())
    }

    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = descriptor(media_type, bytes);
        self.blobs.insert(descriptor.digest.to_string(), bytes.to_vec());
        descriptor
    }

    pub(crate) fn manifest(&mut self, tag: &str, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = descriptor(media_type, bytes);
        for name in [tag.to_owned(), descriptor.digest.to_string()] {
            self.manifests.insert(name, (media_type.to_owned(), bytes.to_vec()));
        }
        descriptor
    }

    /// An honest registry's answer.
    pub(crate) fn answer(&self, seen: &Seen) -> Reply {
        let unknown =
            || Reply::status(404).body(r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#);
        let (kind, name) = {
            let mut parts = seen.path().rsplit('/');
            let name = parts.next().unwrap();
            (parts.next().unwrap_or_default(), name)
        };
        match kind {
            "manifests" => self.manifests.get(name).map_or_else(unknown, |(media_type, bytes)| {
                let digest = Digest::of(Algorithm::Sha256, bytes);
                Reply::status(200)
                    .header("Content-Type", media_type)
                    .header("Docker-Content-Digest", digest)
                    .body(bytes)
            }),
            "blobs" => self.blobs.get(name).map_or_else(unknown, |bytes| part(bytes, seen.from())),
            _ => Reply::status(404).body(""),
        }
    }
}

/// A blob from a byte on.
pub(crate) fn part(bytes: &[u8], from: Option<usize>) -> Reply {
    match from {
        None => Reply::ok(bytes),
        Some(from) if from < bytes.len() => Reply::status(206)
            .header("Content-Range", format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len()))
            .body(&bytes[from..]),
        Some(_) => Reply::status(416).body(""),
    }
}

/// A client that loses patience soon.
pub(crate) fn config() -> Config {
    let patience = Duration::from_secs(20);
    let timeouts = Timeouts {
        connect: patience,
        head: patience,
        idle: patience,
        document: patience,
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(4),
        ..Timeouts::default()
    };
    Config { timeouts, limits: RemoteLimits::default(), ..Config::default() }
}

/// Where what comes goes to.
pub(crate) struct Shelf {
    directory: TempDir,
    pub(crate) downloads: Downloads,
}

impl Shelf {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
        let downloads = Downloads::open(&directory.path().join("downloads"), blobs).unwrap();
        Self { directory, downloads }
    }

    pub(crate) fn read(&self, blob: &Descriptor) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.downloads.open(blob).unwrap()?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    /// How many blobs are half there.
    pub(crate) fn unfinished(&self) -> usize {
        std::fs::read_dir(self.directory.path().join("downloads")).unwrap().count()
    }
}

/// What was told about a pull.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) finished: Mutex<Vec<(Digest, Arrival)>>,
    pub(crate) retried: Mutex<Vec<(String, Duration)>>,
    pub(crate) advanced: Mutex<HashMap<Digest, u64>>,
}

impl Progress for Watch {
    fn advanced(&self, blob: &Descriptor, bytes_done: u64) {
        self.advanced.lock().unwrap().insert(blob.digest, bytes_done);
    }

    fn finished(&self, blob: &Descriptor, arrival: Arrival) {
        self.finished.lock().unwrap().push((blob.digest, arrival));
    }

    fn retrying(&self, error: &RemoteError, wait: Duration) {
        self.retried.lock().unwrap().push((error.to_string(), wait));
    }
}

/// One attempt to get an image.
pub(crate) struct Pull {
    pub(crate) config: Config,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) reference: String,
    pub(crate) shelf: Shelf,
    pub(crate) watch: Arc<Watch>,
}

impl Pull {
    /// Of the image `team/app:v1`.
    pub(crate) fn of(fake: &Fake) -> Self {
        Self::named(&format!("{}/team/app:v1", fake.host()))
    }

    pub(crate) fn named(reference: &str) -> Self {
        let (shelf, watch) = (Shelf::new(), Arc::default());
        Self { config: config(), credentials: None, reference: reference.to_owned(), shelf, watch }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Onto another's shelf.
    pub(crate) fn onto(mut self, other: &Self) -> Self {
        self.shelf.downloads = other.shelf.downloads.clone();
        self
    }

    pub(crate) fn by(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }

    /// Trusts a server.
    pub(crate) fn trusting(mut self, fake: &Fake) -> Self {
        let path = self.shelf.directory.path().join(format!("{}.pem", fake.address.port()));
        std::fs::write(&path, fake.certificate.as_ref().unwrap()).unwrap();
        self.config.authorities.extra.push(path);
        self
    }

    /// Through a proxy, whatever it speaks.
    pub(crate) fn through(self, proxy: &FakeProxy) -> Self {
        let proxy = Proxy::parse(&proxy.address.to_string()).unwrap();
        self.with(|config| {
            config.proxies = Proxies { https: Some(proxy.clone()), http: Some(proxy), ..Proxies::default() };
        })
    }

    pub(crate) async fn resolve(&self) -> Result<Descriptor, RemoteError> {
        let registries = Registries::new(self.config.clone()).unwrap();
        let reference = self.reference.parse().unwrap();
        registries.repository(&reference, self.credentials.clone()).unwrap().resolve().await
    }

    pub(crate) async fn run(&self) -> Result<Fetched, RemoteError> {
        let registries = Registries::new(self.config.clone()).unwrap();
        self.run_with(&registries).await
    }

    pub(crate) async fn run_with(&self, registries: &Registries) -> Result<Fetched, RemoteError> {
        let repository = registries.repository(&self.reference.parse().unwrap(), self.credentials.clone()).unwrap();
        let root = repository.resolve().await?;
        let machine = Platform::linux("amd64", None);
        repository.fetch(&root, &machine, Arc::new(self.shelf.downloads.clone()), self.watch.clone()).await
    }
}
