//! Names, manifests, indexes and configurations of images.

#![no_main]

use images::{Config, Digest, Document, Platform, Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(reference) = text.parse::<Reference>() {
            assert_eq!(reference.to_string().parse(), Ok(reference), "what is written is read as itself");
        }
        if let Ok(digest) = text.parse::<Digest>() {
            assert_eq!(digest.to_string(), text);
        }
    }
    let declared = [None, Some("application/vnd.oci.image.manifest.v1+json"), Some("text/html")];
    for declared in declared {
        match Document::parse(data, declared) {
            Ok(Document::Image(manifest)) => assert!(manifest.layers.len() <= images::LAYERS_MAX),
            Ok(Document::Index(index)) => {
                let platforms = index.manifests.iter().map(|member| member.platform.as_ref());
                let place = Platform::linux("amd64", None).choose(platforms);
                assert!(place.is_none_or(|place| place < index.manifests.len()));
            }
            Err(error) => drop(error.to_string()),
        }
    }
    let _ = Config::parse(data, data.len() % 4);
});
