//! Manifests and indexes: what an image is made of.

use serde::{Deserialize, Serialize};

use crate::bounded::{self, List};
use crate::media::MediaType;
use crate::{Digest, DocumentError, Platform};

/// The most layers of an image. It is as deep as Docker's overlay2 driver goes, so no image that Docker runs has more; and
/// so many layers, named by descriptors, fit into the one page of options that `mount(2)` takes.
pub const LAYERS_MAX: usize = 128;
/// The largest layer as it is transferred, in bytes: 52,000 MiB, the quota "Maximum layer size" of Amazon ECR.
pub const LAYER_BYTES_MAX: u64 = 52_000 * 1024 * 1024;
/// The longest name of a media type (RFC 6838, section 4.2: 127 each for type and subtype).
const MEDIA_TYPE_LENGTH_MAX: usize = 255;

/// A document that a reference or an index leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// An image for one platform.
    Image(Manifest),
    /// Images for several platforms.
    Index(Index),
}

/// An image: its configuration, and its layers from the bottom up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// How it is run.
    pub config: Descriptor,
    /// Its layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// Images of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Manifests and further indexes.
    pub manifests: Vec<Descriptor>,
}

/// What names a blob: all that is needed to fetch and to verify it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its name.
    pub digest: Digest,
    /// How large it is, in bytes.
    pub size: u64,
    /// What the image was built for; in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<List<Descriptor>>,
    manifests: Option<List<Descriptor>>,
    fs_layers: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Reads a manifest or an index. `declared` is the media type that the way here named: the descriptor's, or the
    /// response's `Content-Type`.
    ///
    /// # Errors
    /// [`DocumentError::Ambiguous`] if it could be read as both, or says to be something else than was declared: what one
    /// reader takes for an image and another for an index is an attack (CVE-2021-41190).
    pub fn parse(bytes: &[u8], declared: Option<&str>) -> Result<Self, DocumentError> {
        let raw: Raw = bounded::parse(bytes)?;
        let declared = declared.map(known).transpose()?;
        let own = raw.media_type.as_deref().map(known).transpose()?;
        if declared == Some(MediaType::Schema1) || own == Some(MediaType::Schema1) || raw.fs_layers.is_some() {
            return Err(DocumentError::Schema1);
        }
        if raw.schema_version != Some(2) {
            return Err(DocumentError::Invalid("its `schemaVersion` is not 2"));
        }
        let shape = match (&raw.manifests, raw.config.is_some() || raw.layers.is_some()) {
            (Some(_), false) => MediaType::Index,
            (None, true) => MediaType::Manifest,
            (Some(_), true) => return Err(DocumentError::Ambiguous),
            (None, false) => return Err(DocumentError::Invalid("it has neither layers nor manifests")),
        };
        if [declared, own].into_iter().flatten().any(|said| said != shape) {
            return Err(DocumentError::Ambiguous);
        }
        match raw.manifests {
            Some(manifests) => index(manifests.0).map(Self::Index),
            None => image(raw.config, raw.layers).map(Self::Image),
        }
    }
}

fn known(name: &str) -> Result<MediaType, DocumentError> {
    MediaType::named(name).ok_or(DocumentError::NotAnImage)
}

fn index(manifests: Vec<Descriptor>) -> Result<Index, DocumentError> {
    manifests.iter().try_for_each(|it| check(it, bounded::DOCUMENT_BYTES_MAX))?;
    Ok(Index { manifests })
}

fn image(config: Option<Descriptor>, layers: Option<List<Descriptor>>) -> Result<Manifest, DocumentError> {
    let config = config.ok_or(DocumentError::Invalid("it has no configuration"))?;
    check(&config, bounded::DOCUMENT_BYTES_MAX)?;
    if MediaType::named(&config.media_type) != Some(MediaType::Config) {
        return Err(DocumentError::NotAnImage);
    }
    let layers = layers.unwrap_or_default().0;
    if layers.len() > LAYERS_MAX {
        return Err(DocumentError::TooManyLayers { layers: layers.len() });
    }
    for layer in &layers {
        check(layer, LAYER_BYTES_MAX)?;
        if !matches!(MediaType::named(&layer.media_type), Some(MediaType::Layer | MediaType::ForeignLayer)) {
            return Err(DocumentError::UnknownLayer { digest: layer.digest });
        }
    }
    Ok(Manifest { config, layers })
}

fn check(descriptor: &Descriptor, size_max: u64) -> Result<(), DocumentError> {
    if descriptor.media_type.len() > MEDIA_TYPE_LENGTH_MAX {
        return Err(DocumentError::Invalid("a media type is too long"));
    }
    if descriptor.size > size_max {
        return Err(DocumentError::BlobTooLarge { digest: descriptor.digest, size: descriptor.size, size_max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Algorithm;

    const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
    const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

    fn descriptor(media_type: &str, size: impl std::fmt::Display) -> String {
        let digest = Digest::of(Algorithm::Sha256, b"");
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}}}"#)
    }

    fn manifest(media_type: &str, config: &str, layers: &[String]) -> String {
        let media_type = if media_type.is_empty() { String::new() } else { format!(r#""mediaType":"{media_type}","#) };
        format!(r#"{{"schemaVersion":2,{media_type}"config":{config},"layers":[{}]}}"#, layers.join(","))
    }

    fn config() -> String {
        descriptor("application/vnd.oci.image.config.v1+json", 2)
    }

    fn layer() -> String {
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip", 100)
    }

    fn parse(text: &str, declared: Option<&str>) -> Result<Document, DocumentError> {
        Document::parse(text.as_bytes(), declared)
    }

    #[test]
    fn images_of_oci_and_of_docker_are_read_with_every_kind_of_layer() {
        for (media_type, config, layers) in [
            (
                OCI,
                "application/vnd.oci.image.config.v1+json",
                &[
                    "application/vnd.oci.image.layer.v1.tar",
                    "application/vnd.oci.image.layer.v1.tar+gzip",
                    "application/vnd.oci.image.layer.v1.tar+zstd",
                    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                ][..],
            ),
            (
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.container.image.v1+json",
                &[
                    "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                ],
            ),
        ] {
            let layers: Vec<String> = layers.iter().map(|it| descriptor(it, 7)).collect();
            let text = manifest(media_type, &descriptor(config, 9), &layers);
            let Document::Image(image) = parse(&text, Some(media_type)).unwrap() else { panic!("no image") };
            assert_eq!(image.layers.len(), layers.len());
            assert_eq!(image.config.size, 9);
            assert!(parse(&text, None).is_ok(), "the way here need not say what it is");
        }
        assert!(parse(&manifest("", &config(), &[layer()]), None).is_ok(), "nor need the document");
        let text = manifest(OCI, &config(), &[]).replace("[]", "null");
        assert!(matches!(parse(&text, None), Ok(Document::Image(image)) if image.layers.is_empty()));
    }

    #[test]
    fn an_index_names_its_platforms() {
        let member =
            descriptor(OCI, 5).replace('}', r#","platform":{"os":"linux","architecture":"arm","variant":"v7"}}"#);
        let text =
            format!(r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[{member},{}]}}"#, descriptor(OCI, 6));
        let Document::Index(index) = parse(&text, Some(&format!("{OCI_INDEX}; charset=utf-8"))).unwrap() else {
            panic!("no index")
        };
        assert_eq!(index.manifests[0].platform, Some(Platform::linux("arm", Some("v7"))));
        assert_eq!(index.manifests[1].platform, None);
    }

    #[test]
    fn a_document_that_is_two_things_is_refused_cve_2021_41190() {
        let both = manifest(OCI, &config(), &[layer()]).replacen('{', r#"{"manifests":[],"#, 1);
        assert!(matches!(parse(&both, Some(OCI)), Err(DocumentError::Ambiguous)));
        let image = manifest(OCI, &config(), &[layer()]);
        assert!(matches!(parse(&image, Some(OCI_INDEX)), Err(DocumentError::Ambiguous)));
        let lying = manifest(OCI_INDEX, &config(), &[layer()]);
        assert!(matches!(parse(&lying, None), Err(DocumentError::Ambiguous)));
        let twice = image.replacen('{', r#"{"layers":[],"#, 1);
        assert!(matches!(parse(&twice, None), Err(DocumentError::Malformed { .. })), "the same member twice");
    }

    #[test]
    fn the_number_of_layers_is_bounded() {
        assert!(parse(&manifest(OCI, &config(), &vec![layer(); LAYERS_MAX]), None).is_ok());
        let found = parse(&manifest(OCI, &config(), &vec![layer(); LAYERS_MAX + 1]), None);
        assert!(matches!(found, Err(DocumentError::TooManyLayers { layers: 129 })), "{found:?}");
        let found = parse(&manifest(OCI, &config(), &vec![layer(); 20_000]), None);
        assert!(matches!(found, Err(DocumentError::Malformed { .. })), "stops before it has read them all");
    }

    #[test]
    fn sizes_that_no_blob_has_are_refused() {
        for size in ["-1", "1.5", "18446744073709551616", "\"7\"", "null"] {
            let text = manifest(OCI, &config(), &[descriptor("application/vnd.oci.image.layer.v1.tar", size)]);
            assert!(matches!(parse(&text, None), Err(DocumentError::Malformed { .. })), "{size}");
        }
        for size in [LAYER_BYTES_MAX + 1, u64::MAX] {
            let text = manifest(OCI, &config(), &[descriptor("application/vnd.oci.image.layer.v1.tar", size)]);
            assert!(matches!(parse(&text, None), Err(DocumentError::BlobTooLarge { .. })), "{size}");
        }
        let text = manifest(OCI, &descriptor("application/vnd.oci.image.config.v1+json", 5_000_000), &[]);
        assert!(matches!(parse(&text, None), Err(DocumentError::BlobTooLarge { .. })));
    }

    #[test]
    fn what_is_no_image_says_so() {
        let artifact = manifest(OCI, &descriptor("application/vnd.oci.empty.v1+json", 2), &[layer()]);
        assert!(matches!(parse(&artifact, None), Err(DocumentError::NotAnImage)));
        assert!(matches!(parse(&manifest(OCI, &config(), &[]), Some("text/html")), Err(DocumentError::NotAnImage)));
        let encrypted = descriptor("application/vnd.oci.image.layer.v1.tar+gzip+encrypted", 2);
        let found = parse(&manifest(OCI, &config(), &[encrypted]), None);
        assert!(matches!(found, Err(DocumentError::UnknownLayer { .. })));
        let schema1 = r#"{"schemaVersion":1,"name":"x","fsLayers":[{"blobSum":"sha256:0"}]}"#;
        assert!(matches!(parse(schema1, None), Err(DocumentError::Schema1)));
        let declared = Some("application/vnd.docker.distribution.manifest.v1+prettyjws");
        assert!(matches!(parse(r#"{"schemaVersion":1}"#, declared), Err(DocumentError::Schema1)));
        for text in
            ["", "{", "[]", "null", "{}", r#"{"schemaVersion":2}"#, r#"{"schemaVersion":3,"layers":[]}"#, "\u{feff}{}"]
        {
            assert!(parse(text, None).is_err(), "{text:?}");
        }
    }
}
