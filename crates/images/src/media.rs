//! What a blob of an image is.

/// The types of the documents and layers that are read: those of the OCI image specification and of Docker's image
/// manifest, version 2, schema 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    /// An image for one platform.
    Manifest,
    /// Images of one name for several platforms.
    Index,
    /// How an image is run.
    Config,
    /// A layer's archive.
    Layer,
    /// The same, of a kind that is not pushed to registries but fetched from elsewhere.
    ForeignLayer,
    /// Docker's manifest before schema 2, which names no layers that could be verified.
    Schema1,
}

const KNOWN: [(&str, MediaType); 19] = [
    ("application/vnd.oci.image.manifest.v1+json", MediaType::Manifest),
    ("application/vnd.docker.distribution.manifest.v2+json", MediaType::Manifest),
    ("application/vnd.oci.image.index.v1+json", MediaType::Index),
    ("application/vnd.docker.distribution.manifest.list.v2+json", MediaType::Index),
    ("application/vnd.oci.image.config.v1+json", MediaType::Config),
    ("application/vnd.docker.container.image.v1+json", MediaType::Config),
    ("application/vnd.oci.image.layer.v1.tar", MediaType::Layer),
    ("application/vnd.oci.image.layer.v1.tar+gzip", MediaType::Layer),
    ("application/vnd.oci.image.layer.v1.tar+zstd", MediaType::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar", MediaType::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", MediaType::Layer),
    ("application/vnd.docker.image.rootfs.diff.tar.zstd", MediaType::Layer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar", MediaType::ForeignLayer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MediaType::ForeignLayer),
    ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MediaType::ForeignLayer),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar", MediaType::ForeignLayer),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", MediaType::ForeignLayer),
    ("application/vnd.docker.distribution.manifest.v1+json", MediaType::Schema1),
    ("application/vnd.docker.distribution.manifest.v1+prettyjws", MediaType::Schema1),
];

impl MediaType {
    /// The type of this name; parameters such as a character set are no part of it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.split(';').next().unwrap_or_default().trim();
        KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, media_type)| *media_type)
    }
}
