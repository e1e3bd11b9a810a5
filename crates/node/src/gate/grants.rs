//! Which blobs a host may read: those of images that it is preparing, for as long as it does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use blobs::Blobs;
use images::{Algorithm, BlobSource, DOCUMENT_BYTES_MAX, Descriptor, Digest, Document};

/// How deep indexes may lie in indexes.
const INDEX_LEVELS_MAX: u32 = 3;
/// The most blobs that one image leads to.
const BLOBS_MAX: usize = 16 * 1024;

/// What a host may read now.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<Given>);

#[derive(Debug, Default)]
struct Given {
    next: u64,
    by_number: BTreeMap<u64, Arc<Image>>,
}

/// An image, or a single layer.
#[derive(Debug)]
struct Image {
    root: Descriptor,
    /// Everything that it leads to, once somebody has asked and all documents were there.
    reach: OnceLock<BTreeSet<Digest>>,
}

/// The right to an image's blobs, until it is dropped.
#[derive(Debug)]
pub(super) struct Grant {
    grants: Arc<Grants>,
    number: u64,
}

impl Grants {
    /// Grants a blob and everything that it leads to.
    pub(super) fn grant(self: &Arc<Self>, root: Descriptor) -> Grant {
        let mut given = self.given();
        let number = given.next;
        given.next += 1;
        given.by_number.insert(number, Arc::new(Image { root, reach: OnceLock::new() }));
        Grant { grants: Arc::clone(self), number }
    }

    /// Whether a blob was granted. Blocks on the disk.
    pub(super) fn allows(&self, blob: &Digest, blobs: &Blobs) -> bool {
        let images: Vec<_> = self.given().by_number.values().cloned().collect();
        images.iter().any(|image| image.root.digest == *blob || image.leads_to(blob, blobs))
    }

    fn given(&self) -> MutexGuard<'_, Given> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Grant {
    fn drop(&mut self) {
        self.grants.given().by_number.remove(&self.number);
    }
}

impl Image {
    fn leads_to(&self, blob: &Digest, blobs: &Blobs) -> bool {
        if let Some(reach) = self.reach.get() {
            return reach.contains(blob);
        }
        let mut reach = BTreeSet::new();
        match walk(&self.root, INDEX_LEVELS_MAX, blobs, &mut reach) {
            Ok(()) => self.reach.get_or_init(|| reach).contains(blob),
            // What is not there yet may come.
            Err(error) => {
                tracing::debug!(%error, "an image's documents are not to be read");
                reach.contains(blob)
            }
        }
    }
}

/// Collects what a manifest or an index leads to; a layer leads nowhere.
fn walk(from: &Descriptor, levels: u32, blobs: &Blobs, reach: &mut BTreeSet<Digest>) -> io::Result<()> {
    if reach.len() >= BLOBS_MAX {
        return Err(io::Error::other("it leads to too many blobs"));
    }
    reach.insert(from.digest);
    let is_document = from.size <= DOCUMENT_BYTES_MAX && !is_layer(&from.media_type);
    let Some(document) = is_document.then(|| read(from, blobs)).transpose()?.flatten() else { return Ok(()) };
    match document {
        Document::Image(manifest) => {
            let parts = std::iter::once(&manifest.config).chain(&manifest.layers);
            reach.extend(parts.map(|part| part.digest));
            Ok(())
        }
        Document::Index(index) if levels > 0 => {
            // Of other machines' images some are not here: they are not asked for.
            let here = index.manifests.iter().filter(|it| matches!(BlobSource::open(blobs, it), Ok(Some(_))));
            here.clone().try_for_each(|manifest| walk(manifest, levels - 1, blobs, reach))
        }
        Document::Index(_) => Ok(()),
    }
}

/// Whether a media type is a layer's (OCI image specification, "Media Types"; Docker's `.rootfs.diff.`).
fn is_layer(media_type: &str) -> bool {
    media_type.contains(".layer.") || media_type.contains(".rootfs.")
}

/// Reads a document; none if it is something else, such as a layer.
fn read(from: &Descriptor, blobs: &Blobs) -> io::Result<Option<Document>> {
    let Some(blob) = BlobSource::open(blobs, from)? else { return Err(io::ErrorKind::NotFound.into()) };
    let mut bytes = Vec::new();
    blob.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes)?;
    let is_it = Digest::of(from.digest.algorithm(), &bytes) == from.digest;
    Ok(is_it.then(|| Document::parse(&bytes, Some(&from.media_type)).ok()).flatten())
}

/// The file of a blob.
pub(super) fn open(blobs: &Blobs, digest: &Digest) -> Result<Option<blobs::Blob>, blobs::BlobError> {
    match (digest.algorithm(), digest.blob(), digest.long_blob()) {
        (Algorithm::Sha256, Some(digest), _) => blobs.open(&digest),
        (Algorithm::Sha512, _, Some(long)) => blobs.open_long(&long),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

    struct Bed {
        blobs: Blobs,
        _directory: tempfile::TempDir,
    }

    impl Bed {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self { blobs: Blobs::open_root(directory.path()).unwrap(), _directory: directory }
        }

        fn put(&self, media_type: &str, bytes: &[u8]) -> Descriptor {
            let digest = format!("sha256:{}", self.blobs.put(bytes).unwrap().hex()).parse().unwrap();
            Descriptor { media_type: media_type.to_owned(), digest, size: bytes.len() as u64, platform: None }
        }

        fn image(&self, name: &str) -> (Descriptor, [Descriptor; 2]) {
            let config = self.put(CONFIG, format!("{{\"of\":\"{name}\"}}").as_bytes());
            let layer = self.put(LAYER, format!("layer of {name}").as_bytes());
            let manifest = serde_json::json!({
                "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer],
            });
            (self.put(MANIFEST, manifest.to_string().as_bytes()), [config, layer])
        }
    }

    #[test]
    fn an_image_that_is_prepared_opens_its_own_blobs_and_no_other_for_as_long_as_it_is() {
        let bed = Bed::new();
        let ((mine, my_parts), (other, other_parts)) = (bed.image("mine"), bed.image("other"));
        let grants = Arc::new(Grants::default());
        let allows = |it: &Descriptor| grants.allows(&it.digest, &bed.blobs);
        assert!(!allows(&mine));
        let grant = grants.grant(mine.clone());
        assert!(allows(&mine) && my_parts.iter().all(allows));
        assert!(!allows(&other) && !other_parts.iter().any(allows));
        drop(grant);
        assert!(!allows(&mine) && !my_parts.iter().any(allows));
    }

    #[test]
    fn an_index_leads_to_its_images_and_a_layer_to_nothing() {
        let bed = Bed::new();
        let ((manifest, parts), (other, _)) = (bed.image("mine"), bed.image("other"));
        let absent = Descriptor { digest: Digest::of(Algorithm::Sha256, b"elsewhere"), ..manifest.clone() };
        let index = serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [absent, manifest] });
        let index = bed.put(INDEX, index.to_string().as_bytes());
        let grants = Arc::new(Grants::default());
        let allows = |it: &Descriptor| grants.allows(&it.digest, &bed.blobs);
        let grant = grants.grant(index);
        assert!(allows(&manifest) && parts.iter().all(allows) && !allows(&other));
        drop(grant);
        // Even if it looks like a manifest.
        let disguised = Descriptor { media_type: LAYER.to_owned(), ..manifest.clone() };
        let _grant = grants.grant(disguised);
        assert!(allows(&manifest) && !parts.iter().any(allows));
    }

    #[test]
    fn a_document_that_comes_later_is_looked_at_then() {
        let (bed, later) = (Bed::new(), Bed::new());
        let (manifest, parts) = later.image("late");
        let grants = Arc::new(Grants::default());
        let _grant = grants.grant(manifest);
        assert!(!grants.allows(&parts[1].digest, &bed.blobs));
        bed.image("late");
        assert!(grants.allows(&parts[1].digest, &bed.blobs));
    }
}
