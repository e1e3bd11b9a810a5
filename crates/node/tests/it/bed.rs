//! A node in this process, blobs, and images in them.

use std::path::{Path, PathBuf};

use blobs::Blobs;
use images::{Algorithm, Descriptor, Digest, Platform, Reference};
use node::agent::{Agent, Options};
use node::client::Node;
use node::protocol::{Prepare, PrepareLayer, Urgency};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A user that is neither root nor anybody.
pub(crate) const STRANGER: u32 = 65_533;

pub(crate) struct Bed {
    pub(crate) folder: TempDir,
    pub(crate) blobs: Blobs,
}

/// A node that answers.
pub(crate) struct Running {
    pub(crate) node: Node,
    pub(crate) socket: PathBuf,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_root(&folder.path().join("blobs")).unwrap();
        Self { folder, blobs }
    }

    pub(crate) fn node_dir(&self) -> PathBuf {
        self.folder.path().join("node")
    }

    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    pub(crate) fn options(&self) -> Options {
        let me = rustix::process::geteuid().as_raw();
        Options { spare_bytes: 0, ..Options::new(self.node_dir(), self.blobs_dir(), me) }
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.options())
    }

    pub(crate) fn start_with(&self, options: Options) -> Running {
        let socket = self.folder.path().join("node.sock");
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).unwrap();
        let agent = Agent::open(options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            agent.serve(&listener, async { drop(stopped.await) }).await;
        });
        Running { node: Node::at(&socket), socket, stop, serving }
    }

    /// An image of layers, each with the files that it has.
    pub(crate) fn image(&self, layers: &[Vec<(&str, Vec<u8>)>]) -> Descriptor {
        let archives: Vec<Vec<u8>> = layers.iter().map(|files| archive(files)).collect();
        self.image_of(&archives, &json!({}))
    }

    /// An image of archives, whose configuration has these members, too.
    pub(crate) fn image_of(&self, archives: &[Vec<u8>], run: &serde_json::Value) -> Descriptor {
        let layers: Vec<Descriptor> = archives.iter().map(|archive| self.put(LAYER, &gzip(archive))).collect();
        let diff_ids: Vec<Digest> = archives.iter().map(|archive| Digest::of(Algorithm::Sha256, archive)).collect();
        self.manifest(&layers, &diff_ids, run)
    }

    pub(crate) fn manifest(&self, layers: &[Descriptor], diff_ids: &[Digest], run: &serde_json::Value) -> Descriptor {
        let Platform { os, architecture, .. } = Platform::host();
        let config = json!({
            "os": os, "architecture": architecture, "config": run,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        });
        let config = self.put(CONFIG, config.to_string().as_bytes());
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        self.put(MANIFEST, manifest.to_string().as_bytes())
    }

    pub(crate) fn put(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
        self.blobs.put(bytes).unwrap();
        let digest = Digest::of(Algorithm::Sha256, bytes);
        Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, platform: None }
    }

    pub(crate) fn layer(&self, bytes: &[u8]) -> Descriptor {
        self.put(LAYER, bytes)
    }

    /// Where a blob is.
    pub(crate) fn path_of(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.blobs_dir().join("sha256").join(&hex[..2]).join(hex)
    }

    /// The layers in a manifest.
    pub(crate) fn layers_of(&self, manifest: &Descriptor) -> Vec<Descriptor> {
        let bytes = std::fs::read(self.path_of(&manifest.digest)).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        serde_json::from_value(manifest["layers"].clone()).unwrap()
    }
}

impl Running {
    /// Ends it and waits until its directory is closed.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        self.serving.await.unwrap();
    }
}

pub(crate) fn wanted(root: &Descriptor, reference: &str) -> Prepare {
    Prepare { reference: Some(reference.parse::<Reference>().unwrap()), ..unnamed(root) }
}

pub(crate) fn unnamed(root: &Descriptor) -> Prepare {
    Prepare { reference: None, root: root.clone(), platform: None, urgency: Urgency::Waited }
}

/// A layer, of which the archive is known that comes out of it.
pub(crate) fn layer(blob: &Descriptor, archive: &[u8]) -> PrepareLayer {
    PrepareLayer { blob: blob.clone(), diff_id: Digest::of(Algorithm::Sha256, archive).into() }
}

pub(crate) fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        builder.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A zip archive of files that everybody may execute, not compressed.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (path, content) in files {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let at = u32::try_from(out.len()).unwrap();
        let size = u32::try_from(content.len()).unwrap();
        let mut middle = Vec::new();
        [20u16, 0, 0, 0, 0x5a21].iter().for_each(|number| middle.extend(number.to_le_bytes()));
        [crc.sum(), size, size].iter().for_each(|number| middle.extend(number.to_le_bytes()));
        middle.extend([u16::try_from(path.len()).unwrap().to_le_bytes(), [0; 2]].concat());
        out.extend([&0x0403_4b50u32.to_le_bytes()[..], &middle, path.as_bytes(), content].concat());
        directory.extend([&0x0201_4b50u32.to_le_bytes()[..], &(3u16 << 8).to_le_bytes(), &middle, &[0; 6]].concat());
        directory.extend([(0o100_755u32 << 16).to_le_bytes(), at.to_le_bytes()].concat());
        directory.extend(path.as_bytes());
    }
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    let numbers = [directory.len(), out.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    out.extend(directory);
    out.extend([&0x0605_4b50u32.to_le_bytes()[..], &[0; 4], &count, &count, &numbers.concat(), &[0; 2]].concat());
    out
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// Bytes that cannot be compressed.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(next).take(length.div_ceil(8)).flatten().collect();
    bytes.truncate(length);
    bytes
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
