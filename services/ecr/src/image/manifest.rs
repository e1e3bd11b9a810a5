//! What a manifest says: read once, when it is pushed.
//!
//! Docker's image manifests of schema 2 and its manifest lists, and OCI's image manifests and indexes. A document that is
//! both an image and an index (CVE-2021-41190), that has a member twice, or that says of itself another media type than
//! its client does is none.

use serde::{Deserialize, Serialize};

use crate::digest::{Algorithm, ContentDigest};

/// The largest manifest, in bytes; the model says it, too.
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most layers of an image. Docker makes 127 at most; a record of so many still fits into the store.
pub const LAYERS_MAX: usize = 1000;
/// The most images of an index: each is required in the transaction that stores it.
pub const CHILDREN_MAX: usize = 100;
/// The longest media type, in bytes. (RFC 6838: 127 characters on either side of the slash.)
pub const MEDIA_TYPE_LENGTH_MAX: usize = 255;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The configurations of images that can be run.
const IMAGE_CONFIGURATIONS: [&str; 2] =
    ["application/vnd.docker.container.image.v1+json", "application/vnd.oci.image.config.v1+json"];
/// Docker's layers that are fetched from elsewhere.
const DOCKER_FOREIGN_LAYER: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// OCI's layers that are fetched from elsewhere.
const OCI_NONDISTRIBUTABLE_LAYER: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

/// What a manifest is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// An image, or an artifact that looks like one: its configuration and layers, each digest once. Layers that are to be
    /// fetched from elsewhere are not among them.
    Image {
        /// The blobs.
        blobs: Vec<BlobDescriptor>,
    },
    /// An index: its images, each digest once.
    Index {
        /// The images.
        children: Vec<ContentDigest>,
    },
}

impl Kind {
    /// The blobs of an image.
    pub fn blobs(&self) -> &[BlobDescriptor] {
        match self {
            Self::Image { blobs } => blobs,
            Self::Index { .. } => &[],
        }
    }

    /// The images of an index.
    pub fn children(&self) -> &[ContentDigest] {
        match self {
            Self::Image { .. } => &[],
            Self::Index { children } => children,
        }
    }
}

/// A blob of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobDescriptor {
    /// Its digest.
    pub digest: ContentDigest,
    /// Its size, as the manifest says it.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// A manifest that has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// Its media type.
    pub media_type: String,
    /// See [`crate::image::Manifest::artifact_type`].
    pub artifact_type: Option<String>,
    /// What it refers to.
    pub subject: Option<ContentDigest>,
    /// What it is made of.
    pub kind: Kind,
}

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidManifest {
    /// It is larger than any may be.
    #[error("The manifest is larger than {MANIFEST_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not JSON of a manifest's form.
    #[error("Invalid JSON syntax: {0}")]
    Syntax(String),
    /// Its schema version is not 2.
    #[error("Only manifests of schema version 2 are supported")]
    SchemaVersion,
    /// Neither it nor its client says what it is.
    #[error("The manifest has no media type, and imageManifestMediaType is missing")]
    MediaTypeMissing,
    /// It says something else than its client.
    #[error("The media type of the manifest is {own}, and {given} was given")]
    MediaTypeDiffers {
        /// What it says.
        own: String,
        /// What was given.
        given: String,
    },
    /// It is of a kind that is not known.
    #[error("The media type {0} is not supported")]
    MediaTypeUnknown(String),
    /// Something is missing or too much for a manifest of its kind.
    #[error("A manifest of type {media_type} {problem}")]
    Form {
        /// Its kind.
        media_type: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// A descriptor is wrong.
    #[error("A descriptor is invalid: {0}")]
    Descriptor(&'static str),
    /// It has too many layers or images.
    #[error("A manifest can have up to {LAYERS_MAX} layers or {CHILDREN_MAX} images")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    /// Of schema 1.
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: i64,
    data: Option<String>,
}

/// Reads a manifest. `given` is what the client says of it: `imageManifestMediaType`, or the `Content-Type`.
///
/// # Errors
/// [`InvalidManifest`]
pub fn parse(bytes: &[u8], given: Option<&str>) -> Result<Parsed, InvalidManifest> {
    if bytes.len() > MANIFEST_BYTES_MAX {
        return Err(InvalidManifest::TooLarge);
    }
    let document: Document =
        serde_json::from_slice(bytes).map_err(|error| InvalidManifest::Syntax(error.to_string()))?;
    if document.schema_version != 2 || document.fs_layers.is_some() {
        return Err(InvalidManifest::SchemaVersion);
    }
    let media_type = media_type(document.media_type.as_deref(), given)?;
    let subject = document.subject.as_ref().map(Descriptor::check).transpose()?.map(|it| it.digest);
    let form = |problem| Err(InvalidManifest::Form { media_type: media_type.clone(), problem });
    let is_index = match media_type.as_str() {
        DOCKER_MANIFEST | OCI_MANIFEST => false,
        DOCKER_LIST | OCI_INDEX => true,
        _ => return Err(InvalidManifest::MediaTypeUnknown(media_type)),
    };
    let own_artifact_type = document.artifact_type.filter(|text| !text.is_empty());
    if own_artifact_type.as_ref().is_some_and(|text| text.len() > MEDIA_TYPE_LENGTH_MAX) {
        return form("has an artifact type that is too long");
    }
    match (is_index, document.config, document.layers, document.manifests) {
        (false, Some(config), Some(layers), None) => {
            let artifact_type = own_artifact_type.or_else(|| Some(config.media_type.clone()));
            Ok(Parsed { kind: image(&config, &layers)?, media_type, artifact_type, subject })
        }
        (true, None, None, Some(manifests)) => {
            Ok(Parsed { kind: index(&manifests)?, media_type, artifact_type: own_artifact_type, subject })
        }
        (false, _, _, Some(_)) => form("has no images"),
        (false, None, _, _) => form("needs a configuration"),
        (false, _, None, _) => form("needs layers"),
        (true, _, _, None) => form("needs images"),
        (true, _, _, Some(_)) => form("has neither configuration nor layers"),
    }
}

fn media_type(own: Option<&str>, given: Option<&str>) -> Result<String, InvalidManifest> {
    match (own, given) {
        (Some(own), Some(given)) if own != given => {
            Err(InvalidManifest::MediaTypeDiffers { own: clipped(own), given: clipped(given) })
        }
        (Some(one), _) | (None, Some(one)) if one.len() <= MEDIA_TYPE_LENGTH_MAX => Ok(one.to_owned()),
        (Some(one), _) | (None, Some(one)) => Err(InvalidManifest::MediaTypeUnknown(clipped(one))),
        (None, None) => Err(InvalidManifest::MediaTypeMissing),
    }
}

/// The start of a text that a client chose, for a message.
fn clipped(text: &str) -> String {
    text.chars().take(MEDIA_TYPE_LENGTH_MAX).collect()
}

fn image(config: &Descriptor, layers: &[Descriptor]) -> Result<Kind, InvalidManifest> {
    if layers.len() > LAYERS_MAX {
        return Err(InvalidManifest::TooMany);
    }
    let mut blobs: Vec<BlobDescriptor> = vec![config.check()?];
    let mut seen = std::collections::BTreeSet::from([blobs[0].digest.clone()]);
    for layer in layers {
        let layer = layer.check()?;
        if !is_elsewhere(&layer.media_type) && seen.insert(layer.digest.clone()) {
            blobs.push(layer);
        }
    }
    Ok(Kind::Image { blobs })
}

fn index(manifests: &[Descriptor]) -> Result<Kind, InvalidManifest> {
    if manifests.len() > CHILDREN_MAX {
        return Err(InvalidManifest::TooMany);
    }
    let mut children: Vec<ContentDigest> = Vec::with_capacity(manifests.len());
    for child in manifests {
        let digest = child.check()?.digest;
        if !children.contains(&digest) {
            children.push(digest);
        }
    }
    Ok(Kind::Index { children })
}

/// Whether a layer is to be fetched from elsewhere, so that no registry needs to have it.
fn is_elsewhere(media_type: &str) -> bool {
    media_type.starts_with(DOCKER_FOREIGN_LAYER) || media_type.starts_with(OCI_NONDISTRIBUTABLE_LAYER)
}

impl Descriptor {
    fn check(&self) -> Result<BlobDescriptor, InvalidManifest> {
        let digest = self.digest.parse().map_err(|_| InvalidManifest::Descriptor("its digest is none"))?;
        let size = u64::try_from(self.size).map_err(|_| InvalidManifest::Descriptor("its size is negative"))?;
        if self.media_type.is_empty() || self.media_type.len() > MEDIA_TYPE_LENGTH_MAX {
            return Err(InvalidManifest::Descriptor("its media type is none"));
        }
        if let Some(data) = &self.data {
            check_data(data, &digest, size)?;
        }
        Ok(BlobDescriptor { digest, size, media_type: self.media_type.clone() })
    }
}

/// Embedded content has to be what the rest of its descriptor says: whoever uses it does not fetch the blob. (OCI image
/// specification, "Embedded Content".)
fn check_data(data: &str, digest: &ContentDigest, size: u64) -> Result<(), InvalidManifest> {
    use base64::Engine as _;
    let problem = InvalidManifest::Descriptor("its data is not what its digest and size say");
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(data) else { return Err(problem) };
    let algorithm: Algorithm = digest.algorithm();
    let fits = bytes.len() as u64 == size && ContentDigest::of(algorithm, &bytes) == *digest;
    if fits { Ok(()) } else { Err(problem) }
}

/// Whether a media type is that of the configuration of an image that can be run, not of some other artifact.
pub fn is_configuration_of_image(media_type: &str) -> bool {
    IMAGE_CONFIGURATIONS.contains(&media_type)
}

/// Whether a media type is an index's.
pub fn is_index(media_type: &str) -> bool {
    matches!(media_type, DOCKER_LIST | OCI_INDEX)
}

#[cfg(test)]
mod tests;
