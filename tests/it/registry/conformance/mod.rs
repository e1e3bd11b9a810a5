//! The cases of the OCI's public conformance suite for registries (version 1.1), each under the suite's own name, over
//! HTTP as a client sees it. Where the suite takes several answers, the one that this registry is to give stands here.

mod discovery;
mod management;
mod pull;
mod push;

use serde_json::{Value, json};
use tests::image::{Blob, CONFIG, Entry, Image, Layer, MANIFEST};
use tests::{Server, Shared};

use super::Shop;

/// The repository that the cases are about, and another one.
const NAME: &str = "conformance/first";
const OTHER: &str = "conformance/second";
/// A digest that nothing has.
const UNKNOWN: &str = "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// What each case begins with: two repositories, and nothing in them.
struct Suite {
    _server: Shared,
    shop: Shop,
}

impl Suite {
    #[track_caller]
    fn new() -> Self {
        let server = Server::shared();
        let shop = Shop::open(&server, &[NAME, OTHER]);
        Self { shop, _server: server }
    }

    /// With a small image under a tag.
    #[track_caller]
    fn with_image(tag: &str) -> (Self, Image) {
        let mut suite = Self::new();
        let image = Image::small(tag);
        suite.shop.registry.push(NAME, tag, &image);
        (suite, image)
    }

    #[track_caller]
    fn get(&mut self, rest: &str) -> tests::raw::Answer {
        self.shop.registry.get(&format!("/v2/{NAME}/{rest}"))
    }

    #[track_caller]
    fn head(&mut self, rest: &str) -> tests::raw::Answer {
        self.shop.registry.head(&format!("/v2/{NAME}/{rest}"))
    }

    #[track_caller]
    fn delete(&mut self, rest: &str) -> tests::raw::Answer {
        self.shop.registry.delete(&format!("/v2/{NAME}/{rest}"))
    }
}

/// A manifest about another one, of a type of artifact.
fn artifact(of: &Blob, artifact_type: &str, config: &Blob, layer: &Blob) -> Blob {
    let document = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": artifact_type, "config": config.descriptor(),
        "layers": [layer.descriptor()], "subject": of.descriptor(), "annotations": { "test": "yes" },
    });
    Blob::json(MANIFEST, &document)
}

/// A configuration that says nothing.
fn empty_config() -> Blob {
    Blob::json(
        CONFIG,
        &json!({ "architecture": "amd64", "os": "linux", "rootfs": { "type": "layers", "diff_ids": [] } }),
    )
}

/// A layer of one small file.
fn layer(text: &str) -> Blob {
    Layer::new(&[Entry::file("text", text)], tests::image::Compression::Gzip).blob
}

/// The digests in an index.
fn digests(index: &Value) -> Vec<String> {
    let entries = index["manifests"].as_array().cloned().unwrap_or_default();
    entries.iter().filter_map(|entry| entry["digest"].as_str().map(str::to_owned)).collect()
}
