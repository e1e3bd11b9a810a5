//! From a digest to all that is needed to unpack an image.

use std::io::Read;

use crate::bounded::DOCUMENT_BYTES_MAX;
use crate::digest::Hasher;
use crate::media::MediaType;
use crate::{BlobSource, Config, Descriptor, DiffId, Digest, Document, DocumentError, Error, Index, Platform, Run};

/// How deep indexes may lie in indexes.
const INDEX_LEVELS_MAX: usize = 3;
/// How many platforms an error names.
const PLATFORMS_TOLD_MAX: usize = 16;

/// An image for one platform, its documents read and verified, its layers not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of its configuration, which is what Docker calls the image's identifier.
    pub config: Digest,
    /// What it was built for.
    pub platform: Platform,
    /// How it is run.
    pub run: Run,
    /// Its layers, the lowest first.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Its blob.
    pub blob: Descriptor,
    /// Its uncompressed archive.
    pub diff_id: DiffId,
}

impl Image {
    /// Reads the documents that `root` leads to, and chooses the image for `machine` where there are several.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the source lacks one, [`Error::Mismatch`] if one is not what its digest says,
    /// [`Error::Document`] if one is not to be understood, [`Error::NoPlatform`] if none runs on the machine.
    pub fn resolve(source: &dyn BlobSource, root: &Descriptor, machine: &Platform) -> Result<Self, Error> {
        let mut found = root.clone();
        for _ in 0..=INDEX_LEVELS_MAX {
            let bytes = read(source, &found)?;
            let document = Document::parse(&bytes, Some(&found.media_type)).map_err(in_document(&found))?;
            match document {
                Document::Image(manifest) => {
                    let bytes = read(source, &manifest.config)?;
                    let config = Config::parse(&bytes, manifest.layers.len()).map_err(in_document(&manifest.config))?;
                    check_platform(machine, &config.platform)?;
                    let layers = manifest.layers.into_iter().zip(config.diff_ids);
                    return Ok(Self {
                        manifest: found.digest,
                        config: manifest.config.digest,
                        platform: config.platform,
                        run: config.run,
                        layers: layers.map(|(blob, diff_id)| Layer { blob, diff_id }).collect(),
                    });
                }
                Document::Index(index) => found = choose(index, machine)?,
            }
        }
        Err(in_document(root)(DocumentError::IndexesTooDeep { levels_max: INDEX_LEVELS_MAX }))
    }
}

/// The member of an index that suits the machine. One that names no platform is taken only if it is another index.
fn choose(index: Index, machine: &Platform) -> Result<Descriptor, Error> {
    let is_index = |it: &Descriptor| MediaType::named(&it.media_type) == Some(MediaType::Index);
    let place = machine.choose(index.manifests.iter().map(|it| it.platform.as_ref()));
    let place = place.or_else(|| index.manifests.iter().position(|it| it.platform.is_none() && is_index(it)));
    place.and_then(|place| index.manifests.get(place).cloned()).ok_or_else(|| {
        let offered = index.manifests.iter().filter_map(|it| it.platform.as_ref().map(short)).take(PLATFORMS_TOLD_MAX);
        Error::NoPlatform { machine: machine.to_string(), offered: offered.collect::<Vec<_>>().join(", ") }
    })
}

fn check_platform(machine: &Platform, image: &Platform) -> Result<(), Error> {
    let says_nothing = image.os.is_empty() && image.architecture.is_empty();
    // The variant is the index's to say: many builders leave it out of the configuration, or put in their own machine's.
    if says_nothing || machine.is_same_processor(image) {
        return Ok(());
    }
    Err(Error::NoPlatform { machine: machine.to_string(), offered: short(image) })
}

/// A platform as an error names it: it may be anything that somebody sent.
fn short(platform: &Platform) -> String {
    const LENGTH_MAX: usize = 64;
    platform.to_string().chars().take(LENGTH_MAX).flat_map(char::escape_default).collect()
}

fn in_document(descriptor: &Descriptor) -> impl FnOnce(DocumentError) -> Error {
    let digest = descriptor.digest;
    move |source| Error::Document { digest, source: Box::new(source) }
}

/// Reads a document and compares it with its digest and size.
fn read(source: &dyn BlobSource, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
    let expected = descriptor.digest;
    let failed = |source| Error::Read { digest: expected, source };
    if descriptor.size > DOCUMENT_BYTES_MAX {
        return Err(in_document(descriptor)(DocumentError::TooLarge { bytes_max: DOCUMENT_BYTES_MAX }));
    }
    let opened = source.open(descriptor).map_err(failed)?.ok_or(Error::NotFound { digest: expected })?;
    let mut bytes = Vec::new();
    opened.take(descriptor.size + 1).read_to_end(&mut bytes).map_err(failed)?;
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(&bytes);
    let found = hasher.finish();
    if found != expected || bytes.len() as u64 != descriptor.size {
        return Err(Error::Mismatch { expected, found: Box::new(found) });
    }
    Ok(bytes)
}
