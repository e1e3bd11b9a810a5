//! Pushes and pulls as clients make them.

use super::Registry;
use crate::image::{Blob, Image, Index};
use crate::raw::Answer;

/// What carries bytes of no kind.
const BYTES: &str = "application/octet-stream";

impl Registry {
    /// Begins an upload; where it goes on.
    #[track_caller]
    pub fn begin(&mut self, repository: &str) -> String {
        self.with_body("POST", &format!("/v2/{repository}/blobs/uploads/"), BYTES, &[]).with_status(202).location()
    }

    /// Sends a piece of an upload that begins at `first`.
    #[track_caller]
    pub fn piece(&mut self, location: &str, first: usize, bytes: &[u8]) -> Answer {
        let mut request = self.request("PATCH", location);
        request.set("content-type", BYTES);
        request.set("content-range", &format!("{first}-{}", (first + bytes.len()).saturating_sub(1)));
        request.body = bytes.to_vec();
        self.send(&request)
    }

    /// Ends an upload with its last bytes, as the content of this name.
    #[track_caller]
    pub fn end(&mut self, location: &str, digest: &str, bytes: &[u8]) -> Answer {
        let separator = if location.contains('?') { '&' } else { '?' };
        self.with_body("PUT", &format!("{location}{separator}digest={digest}"), BYTES, bytes)
    }

    /// Uploads a blob in one piece; its name.
    #[track_caller]
    pub fn upload(&mut self, repository: &str, content: &[u8]) -> String {
        let digest = crate::image::digest(content);
        let location = self.begin(repository);
        self.end(&location, &digest, content).with_status(201);
        digest
    }

    /// Puts a manifest under a tag or its digest.
    #[track_caller]
    pub fn put_manifest(&mut self, repository: &str, reference: &str, manifest: &Blob) -> Answer {
        let target = format!("/v2/{repository}/manifests/{reference}");
        self.with_body("PUT", &target, &manifest.media_type, &manifest.content)
    }

    /// Pushes an image under a tag.
    #[track_caller]
    pub fn push(&mut self, repository: &str, reference: &str, image: &Image) {
        for blob in image.blobs() {
            let there = self.head(&format!("/v2/{repository}/blobs/{}", blob.digest()));
            if there.status == 404 {
                self.upload(repository, &blob.content);
            }
        }
        self.put_manifest(repository, reference, &image.manifest).with_status(201);
    }

    /// Pushes an index and its images.
    #[track_caller]
    pub fn push_index(&mut self, repository: &str, reference: &str, index: &Index) {
        for image in &index.images {
            self.push(repository, &image.digest(), image);
        }
        self.put_manifest(repository, reference, &index.manifest).with_status(201);
    }

    /// Reads a blob.
    #[track_caller]
    pub fn blob(&mut self, repository: &str, digest: &str) -> Vec<u8> {
        self.get_whole(&format!("/v2/{repository}/blobs/{digest}")).body
    }

    /// Pulls an image: its manifest and all that this names, each of which must be what its name says.
    #[track_caller]
    pub fn pull(&mut self, repository: &str, reference: &str) -> Image {
        let accept = [crate::image::MANIFEST, crate::image::DOCKER_MANIFEST].join(", ");
        let answer = self.get_as(&format!("/v2/{repository}/manifests/{reference}"), &accept).with_status(200);
        let media_type = answer.header("content-type").unwrap_or_default().to_owned();
        let manifest = Blob::new(&media_type, answer.body);
        let document = manifest.document();
        let mut fetch = |descriptor: &serde_json::Value| {
            let text = |field: &str| descriptor[field].as_str().unwrap_or_default().to_owned();
            let blob = Blob::new(&text("mediaType"), self.blob(repository, &text("digest")));
            assert_eq!(blob.digest(), text("digest"), "the registry serves something else under this name");
            blob
        };
        let layers = document["layers"].as_array().into_iter().flatten().map(&mut fetch).collect();
        Image { config: fetch(&document["config"]), layers, manifest }
    }

    /// Asks by GET and goes where the answer leads, once.
    #[track_caller]
    pub fn get_whole(&mut self, target: &str) -> Answer {
        let answer = self.get(target);
        if answer.status == 307 {
            let location = answer.location();
            return self.get(&location).with_status(200);
        }
        answer.with_status(200)
    }
}
