//! Image layouts: folders that skopeo and podman read and write.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Blob, INDEX, Image, Index};

/// An OCI image layout.
#[derive(Debug, Clone)]
pub struct Layout(PathBuf);

impl Layout {
    /// The layout in a folder, which need not be there yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Its name for skopeo and podman, with a tag.
    pub fn reference(&self, tag: &str) -> String {
        format!("oci:{}:{tag}", self.0.display())
    }

    /// Writes an image under a tag.
    pub fn write(&self, tag: &str, image: &Image) {
        self.store(image);
        self.name(tag, &image.manifest);
    }

    /// Writes an index under a tag.
    pub fn write_index(&self, tag: &str, index: &Index) {
        for image in &index.images {
            self.store(image);
        }
        self.name(tag, &index.manifest);
    }

    /// The image under a tag, which must be there whole.
    #[track_caller]
    pub fn read(&self, tag: &str) -> Image {
        self.image(&self.named(tag))
    }

    /// The index under a tag.
    #[track_caller]
    pub fn read_index(&self, tag: &str) -> Index {
        let manifest = self.blob(&self.named(tag));
        let document = manifest.document();
        let images = document["manifests"].as_array().into_iter().flatten().map(|entry| self.image(entry)).collect();
        Index { manifest, images }
    }

    #[track_caller]
    fn image(&self, descriptor: &Value) -> Image {
        let manifest = self.blob(descriptor);
        let document = manifest.document();
        let layers = document["layers"].as_array().into_iter().flatten().map(|layer| self.blob(layer)).collect();
        Image { config: self.blob(&document["config"]), layers, manifest }
    }

    #[track_caller]
    fn named(&self, tag: &str) -> Value {
        let index = self.index();
        let entries = index["manifests"].as_array().cloned().unwrap_or_default();
        let is_named = |entry: &Value| entry.pointer(&format!("/annotations/{NAME}")).is_some_and(|name| name == tag);
        entries.into_iter().find(is_named).unwrap_or_else(|| panic!("{} has no {tag}: {index}", self.0.display()))
    }

    #[track_caller]
    fn blob(&self, descriptor: &Value) -> Blob {
        let text = |field: &str| descriptor[field].as_str().unwrap_or_else(|| panic!("no {field}: {descriptor}"));
        let path = self.path(text("digest"));
        let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let blob = Blob::new(text("mediaType"), content);
        assert_eq!(blob.digest(), text("digest"), "{} is another's content", path.display());
        blob
    }

    fn store(&self, image: &Image) {
        let blobs = self.0.join("blobs/sha256");
        fs::create_dir_all(blobs).expect("the folder is writable");
        for blob in image.blobs().chain([&image.manifest]) {
            fs::write(self.path(&blob.digest()), &blob.content).expect("the folder is writable");
        }
    }

    fn name(&self, tag: &str, manifest: &Blob) {
        fs::write(self.path(&manifest.digest()), &manifest.content).expect("the folder is writable");
        let mut index = self.index();
        let mut entry = manifest.descriptor();
        entry["annotations"] = json!({ NAME: tag });
        index["manifests"].as_array_mut().expect("an index has a list").push(entry);
        self.put("index.json", &index);
        self.put("oci-layout", &json!({ "imageLayoutVersion": "1.0.0" }));
    }

    fn index(&self) -> Value {
        let none = || json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] });
        let text = fs::read(self.0.join("index.json"));
        text.map_or_else(|_| none(), |text| serde_json::from_slice(&text).expect("an index is JSON"))
    }

    fn put(&self, name: &str, document: &Value) {
        fs::write(self.0.join(name), document.to_string()).expect("the folder is writable");
    }

    fn path(&self, digest: &str) -> PathBuf {
        Path::new(&self.0).join("blobs").join(digest.replace(':', "/"))
    }
}

/// The annotation that names an entry.
const NAME: &str = "org.opencontainers.image.ref.name";
