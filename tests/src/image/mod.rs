//! Images of the tests' own making: small, odd and broken ones. Those with programs in them are built by `tests/images`.

mod layer;
mod layout;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use layer::{Compression, Entry, Layer};
pub use layout::Layout;

/// The media type of an OCI manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an OCI index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an OCI image's configuration.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a manifest of Docker's second schema.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of a list of manifests of Docker's second schema.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The name of content: `sha256:…`.
pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// Content and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// What it is.
    pub media_type: String,
    /// The bytes.
    pub content: Vec<u8>,
}

/// An image: a manifest and all that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The manifest, to the byte.
    pub manifest: Blob,
    /// The configuration.
    pub config: Blob,
    /// The layers, the lowest first.
    pub layers: Vec<Blob>,
}

/// An image for several kinds of machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The index, to the byte.
    pub manifest: Blob,
    /// What it names, in its order.
    pub images: Vec<Image>,
}

impl Blob {
    /// Content of a type.
    pub fn new(media_type: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { media_type: media_type.to_owned(), content: content.into() }
    }

    /// A document.
    pub fn json(media_type: &str, document: &Value) -> Self {
        Self::new(media_type, document.to_string())
    }

    /// Its name.
    pub fn digest(&self) -> String {
        digest(&self.content)
    }

    /// What a manifest says of it.
    pub fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.content.len() })
    }

    /// The document that it is.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.content).expect("a manifest is JSON")
    }
}

impl Image {
    /// An OCI image of layers for a machine (`amd64`), with `settings` of how it is run.
    pub fn new(layers: &[Layer], machine: &str, settings: &Value) -> Self {
        let config = json!({
            "architecture": machine, "os": "linux", "config": settings,
            "rootfs": { "type": "layers", "diff_ids": layers.iter().map(Layer::diff_id).collect::<Vec<_>>() },
        });
        let layers = layers.iter().map(|layer| layer.blob.clone()).collect();
        Self::of_parts(MANIFEST, Blob::json(CONFIG, &config), layers)
    }

    /// Another image with a layer on top and further `settings` of how it is run.
    pub fn on(base: &Self, layer: &Layer, settings: &Value) -> Self {
        let mut config = base.config.document();
        if let Some(layers) = config.pointer_mut("/rootfs/diff_ids").and_then(Value::as_array_mut) {
            layers.push(layer.diff_id().into());
        }
        for (name, value) in settings.as_object().into_iter().flatten() {
            config["config"][name] = value.clone();
        }
        // It tells of the layers that the other had.
        config.as_object_mut().expect("a configuration is an object").remove("history");
        let layers = base.layers.iter().chain([&layer.blob]).cloned().collect();
        Self::of_parts(&base.manifest.media_type, Blob::json(&base.config.media_type, &config), layers)
    }

    /// An image that shows nothing but a text: a small one, of which each text gives another.
    pub fn small(text: &str) -> Self {
        let layer = Layer::new(&[Entry::file("etc/text", text)], Compression::Gzip);
        Self::new(&[layer], "amd64", &json!({ "Cmd": ["/bin/sh"] }))
    }

    /// An image whose manifest is of this type.
    pub fn of_parts(media_type: &str, config: Blob, layers: Vec<Blob>) -> Self {
        let manifest = json!({
            "schemaVersion": 2, "mediaType": media_type, "config": config.descriptor(),
            "layers": layers.iter().map(Blob::descriptor).collect::<Vec<_>>(),
        });
        Self { manifest: Blob::json(media_type, &manifest), config, layers }
    }

    /// The name of its manifest.
    pub fn digest(&self) -> String {
        self.manifest.digest()
    }

    /// What its manifest names: the layers and the configuration.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.layers.iter().chain([&self.config])
    }
}

impl Index {
    /// An OCI index of images, each with its machine.
    pub fn new(images: &[(Image, &str)]) -> Self {
        let entry = |(image, machine): &(Image, &str)| {
            let mut entry = image.manifest.descriptor();
            entry["platform"] = json!({ "architecture": machine, "os": "linux" });
            entry
        };
        let manifests: Vec<Value> = images.iter().map(entry).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests });
        let images = images.iter().map(|(image, _)| image.clone()).collect();
        Self { manifest: Blob::json(INDEX, &index), images }
    }
}
