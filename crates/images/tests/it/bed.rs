//! A store, blobs in memory, and something that attacks must not reach.

use std::collections::HashMap;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use images::{
    Algorithm, BlobSource, Descriptor, DiffId, Digest, Error, Image, Layer, Limits, Options, Platform, Prepared, Run,
    Store, UnpackError,
};
use tempfile::TempDir;

use crate::archive::{Archive, Member};

pub(crate) const OUTSIDE: &str = "what lies outside";

/// Blobs in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<HashMap<Digest, Vec<u8>>>);

impl Memory {
    pub(crate) fn put(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        self.replace(digest, bytes);
        digest
    }

    /// Has a blob say something else than its digest.
    pub(crate) fn replace(&self, digest: Digest, bytes: Vec<u8>) {
        self.0.lock().unwrap().insert(digest, bytes);
    }
}

impl BlobSource for Memory {
    fn open(&self, blob: &Descriptor) -> io::Result<Option<Box<dyn Read + Send>>> {
        let found = self.0.lock().unwrap().get(&blob.digest).cloned();
        Ok(found.map(|bytes| Box::new(Cursor::new(bytes)) as Box<dyn Read + Send>))
    }
}

pub(crate) struct Bed {
    pub(crate) directory: TempDir,
    pub(crate) store: Store,
    pub(crate) source: Memory,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn limited(limits: Limits) -> Self {
        Self::with(Options { limits, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("outside"), OUTSIDE).unwrap();
        let store = Store::open(&directory.path().join("store"), options).unwrap();
        Self { directory, store, source: Memory::default() }
    }

    /// The same directory after the process has ended.
    pub(crate) fn reopened(self, options: Options) -> Self {
        let Self { directory, store, source } = self;
        drop(store);
        let store = Store::open(&directory.path().join("store"), options).unwrap();
        Self { directory, store, source }
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.directory.path().join("store/staging")
    }

    /// A layer whose blob is an archive, compressed.
    pub(crate) fn layer(&self, archive: &[u8]) -> Layer {
        self.layer_of(archive, gzip(archive))
    }

    pub(crate) fn layer_of(&self, archive: &[u8], blob: Vec<u8>) -> Layer {
        let size = blob.len() as u64;
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        let blob = Descriptor { media_type, digest: self.source.put(blob), size, platform: None };
        Layer { blob, diff_id: DiffId::from(Digest::of(Algorithm::Sha256, archive)) }
    }

    pub(crate) fn prepare(&self, layers: Vec<Layer>) -> Result<Prepared, Error> {
        self.store.prepare(&image(layers), &self.source, &())
    }

    /// Unpacks one layer and answers where it is.
    pub(crate) fn unpack_bytes(&self, archive: &[u8]) -> Result<PathBuf, Error> {
        Ok(self.prepare(vec![self.layer(archive)])?.paths().remove(0))
    }

    pub(crate) fn unpack(&self, members: impl IntoIterator<Item = Member>) -> PathBuf {
        self.unpack_bytes(&Archive::of(members).end()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    /// Unpacks what must be refused, and makes sure that nothing is left of it and nothing was reached.
    pub(crate) fn refuse_bytes(&self, archive: &[u8]) -> UnpackError {
        let error = self.unpack_bytes(archive).expect_err("it was not refused");
        self.check_untouched();
        why(error)
    }

    pub(crate) fn refuse(&self, members: impl IntoIterator<Item = Member>) -> UnpackError {
        self.refuse_bytes(&Archive::of(members).end())
    }

    pub(crate) fn check_untouched(&self) {
        assert_eq!(std::fs::read_to_string(self.outside()).unwrap(), OUTSIDE);
        assert_eq!(names(self.directory.path()), ["outside", "store"]);
        assert_eq!(names(&self.staging()), [""; 0], "something is left in the staging directory");
    }
}

pub(crate) fn image(layers: Vec<Layer>) -> Image {
    let digest = Digest::of(Algorithm::Sha256, b"a manifest");
    Image { manifest: digest, config: digest, platform: Platform::linux("amd64", None), run: Run::default(), layers }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Why a layer was refused.
pub(crate) fn why(error: Error) -> UnpackError {
    match error {
        Error::Layer { source, .. } => *source,
        other => panic!("{other:?}"),
    }
}

/// Whether this may do what only root may. Continuous integration runs as root.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
