//! Blobs and images in memory.

use std::sync::Arc;

use base::{Rng, SeededRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The media type of an OCI manifest.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Neither registry may take these layers for a root file system: they have no meaning.
const OPAQUE_LAYER: &str = "application/octet-stream";
const OPAQUE_CONFIG: &str = "application/vnd.pilvi.bench.config.v1+json";

/// Bytes with a name.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) media_type: &'static str,
    /// `sha256:` and 64 digits.
    pub(crate) digest: String,
    pub(crate) size: u64,
    /// One after the other.
    pub(crate) parts: Vec<Arc<[u8]>>,
}

/// A manifest with all it names.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: Blob,
    pub(crate) config: Blob,
    pub(crate) layers: Vec<Blob>,
}

impl Blob {
    /// A blob of these bytes, which are hashed.
    pub(crate) fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let digest = name(Sha256::digest(&bytes).as_slice());
        Self { media_type, digest, size: bytes.len() as u64, parts: vec![bytes.into()] }
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size })
    }
}

impl Image {
    /// The image of a configuration and layers.
    pub(crate) fn new(config: Blob, layers: Vec<Blob>) -> Self {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        Self { manifest: Blob::new(MANIFEST, manifest.to_string().into_bytes()), config, layers }
    }

    /// Its blobs: the layers and the configuration.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.config])
    }

    /// Bytes of its blobs.
    pub(crate) fn bytes(&self) -> u64 {
        self.blobs().map(|blob| blob.size).sum()
    }
}

/// `sha256:` and the digits of a hash.
pub(crate) fn name(hash: &[u8]) -> String {
    format!("sha256:{}", hex::encode(hash))
}

/// Makes blobs of one size which have no meaning and cannot be compressed, as compressed layers cannot be. They differ in
/// their last bytes, so that a gigabyte of them takes the memory of one, and is hashed once.
#[derive(Debug)]
pub(crate) struct Opaque {
    common: Arc<[u8]>,
    hashed: Sha256,
}

impl Opaque {
    /// How many bytes tell blobs apart.
    const TAIL_BYTES: usize = 32;

    /// Blobs of `size` bytes, which is more than 32.
    pub(crate) fn new(size: usize) -> Self {
        let mut common = vec![0; size - Self::TAIL_BYTES];
        SeededRng::new(size as u64).fill(&mut common);
        let hashed = Sha256::new_with_prefix(&common);
        Self { common: common.into(), hashed }
    }

    /// The blob of a number: another one for each.
    pub(crate) fn blob(&self, number: u64) -> Blob {
        let mut tail = [0; Self::TAIL_BYTES];
        SeededRng::new(number).fill(&mut tail);
        let digest = name(self.hashed.clone().chain_update(tail).finalize().as_slice());
        let size = (self.common.len() + tail.len()) as u64;
        Blob { media_type: OPAQUE_LAYER, digest, size, parts: vec![self.common.clone(), tail.as_slice().into()] }
    }

    /// An image of `layers` of them, with another number another one.
    pub(crate) fn image(&self, layers: u64, number: u64) -> Image {
        let config = Blob::new(OPAQUE_CONFIG, json!({ "number": number }).to_string().into_bytes());
        Image::new(config, (0..layers).map(|layer| self.blob(number * layers + layer)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_has_the_name_of_all_its_bytes() {
        let opaque = Opaque::new(1000);
        let (one, other) = (opaque.blob(1), opaque.blob(2));
        let bytes = one.parts.concat();
        assert_eq!((one.digest.clone(), one.size), (name(Sha256::digest(&bytes).as_slice()), 1000));
        assert_eq!(bytes.len(), 1000);
        assert_ne!(one.digest, other.digest);
        assert_eq!(one.digest, Opaque::new(1000).blob(1).digest, "the same in every run");
    }

    #[test]
    fn images_of_different_numbers_share_nothing() {
        let opaque = Opaque::new(100);
        let (one, other) = (opaque.image(3, 0), opaque.image(3, 1));
        let shared = one.blobs().filter(|blob| other.blobs().any(|of| of.digest == blob.digest)).count();
        assert_eq!((shared, one.layers.len(), one.bytes() > 300), (0, 3, true));
    }
}
