//! The kinds of content: each is pushed, listed, asked for, pulled, looked for by what it refers to, and deleted.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecr::digest::{Algorithm, ContentDigest};

use super::*;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";
const EXAMPLE: &str = "application/vnd.example.oci.conformance.v1";

/// What is to be pushed.
struct Data {
    algorithm: Algorithm,
    blobs: BTreeMap<String, Vec<u8>>,
    /// The manifests, in the order in which they are pushed.
    manifests: Vec<(String, String)>,
    /// Each tag, and the digest of what it names.
    tags: Vec<(String, String)>,
    /// The descriptors of what refers to a digest, which an answer should have.
    referrers: Vec<(String, Value)>,
    has_data: bool,
}

impl Data {
    fn new() -> Self {
        Self {
            algorithm: Algorithm::Sha256,
            blobs: BTreeMap::new(),
            manifests: Vec::new(),
            tags: Vec::new(),
            referrers: Vec::new(),
            has_data: false,
        }
    }

    fn digest(&self, bytes: &[u8]) -> String {
        ContentDigest::of(self.algorithm, bytes).to_string()
    }

    fn describe(&self, media_type: &str, bytes: &[u8]) -> Value {
        let mut descriptor = json!({"mediaType": media_type, "digest": self.digest(bytes), "size": bytes.len()});
        if self.has_data {
            descriptor["data"] = json!(BASE64.encode(bytes));
        }
        descriptor
    }

    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        self.blobs.insert(self.digest(bytes), bytes.to_vec());
        self.describe(media_type, bytes)
    }

    /// An image with so many layers.
    fn image(&mut self, layers: usize, layer: &str) -> Value {
        let number = self.manifests.len();
        let config = self.blob(CONFIG, json!({"os": "linux", "number": number}).to_string().as_bytes());
        let layers: Vec<Value> =
            (0..layers).map(|at| self.blob(layer, format!("layer {at} of {number}").as_bytes())).collect();
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers})
    }

    /// An artifact with one blob.
    fn artifact(&mut self, artifact_type: &str, blob: &str) -> Value {
        let config = self.blob(EMPTY_JSON, b"{}");
        let layer = self.blob(blob, if blob == EMPTY_JSON { b"{}" } else { b"artifact" });
        json!({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type, "config": config,
            "layers": [layer],
        })
    }

    fn index(&self, children: &[Value]) -> Value {
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children})
    }

    /// Adds a manifest, and answers its descriptor.
    fn manifest(&mut self, manifest: &Value, tag: Option<&str>) -> Value {
        let text = manifest.to_string();
        let digest = self.digest(text.as_bytes());
        let media_type = manifest["mediaType"].as_str().unwrap();
        let descriptor = self.describe(media_type, text.as_bytes());
        if let Some(subject) = manifest["subject"]["digest"].as_str() {
            let own = manifest["artifactType"].as_str().or_else(|| manifest["config"]["mediaType"].as_str());
            let mut referrer = json!({"mediaType": media_type, "digest": digest, "size": text.len()});
            if let Some(own) = own {
                referrer["artifactType"] = json!(own);
            }
            if manifest["annotations"].is_object() {
                referrer["annotations"] = manifest["annotations"].clone();
            }
            self.referrers.push((subject.to_owned(), referrer));
        }
        self.tags.extend(tag.map(|tag| (tag.to_owned(), digest.clone())));
        self.manifests.push((digest, text));
        descriptor
    }

    /// An image, added.
    fn added_image(&mut self, tag: Option<&str>) -> Value {
        let image = self.image(2, LAYER_GZIP);
        self.manifest(&image, tag)
    }

    /// The whole way of it.
    async fn run(self) {
        let client = client().await;
        self.push(&client).await;
        self.list(&client).await;
        self.head_and_pull(&client).await;
        self.refer(&client).await;
        self.delete(&client).await;
    }

    async fn push(&self, client: &client::Client) {
        for (digest, bytes) in &self.blobs {
            client.blob_as(NAME, digest, bytes).await;
        }
        for (digest, text) in &self.manifests {
            let answer = client.manifest(NAME, digest, text).await;
            assert_eq!(answer.expect(201).location(), manifest_path(digest));
            assert_eq!(answer.header("docker-content-digest"), digest);
            let document: Value = serde_json::from_str(text).unwrap();
            assert_eq!(answer.header("oci-subject"), document["subject"]["digest"].as_str().unwrap_or_default());
        }
        for (tag, digest) in &self.tags {
            let (_, text) = self.manifests.iter().find(|(own, _)| own == digest).unwrap();
            client.manifest(NAME, tag, text).await.expect(201);
        }
    }

    async fn list(&self, client: &client::Client) {
        let mut tags: Vec<&str> = self.tags.iter().map(|(tag, _)| tag.as_str()).collect();
        tags.sort_unstable();
        assert_eq!(client.get(&tags_path()).await.expect(200).json()["tags"], json!(tags));
        for (at, last) in tags.iter().enumerate() {
            let rest = client.get(&format!("{}?last={last}", tags_path())).await.json();
            assert_eq!(rest["tags"], json!(tags[at + 1..]));
        }
    }

    async fn head_and_pull(&self, client: &client::Client) {
        let by_digest = self.manifests.iter().map(|(digest, _)| (digest, digest));
        for (reference, digest) in by_digest.chain(self.tags.iter().map(|(tag, digest)| (tag, digest))) {
            let (_, text) = self.manifests.iter().find(|(own, _)| own == digest).unwrap();
            let answer = client.head(&manifest_path(reference)).await;
            assert_eq!(answer.expect(200).header("content-length"), text.len().to_string());
            assert_eq!(answer.header("docker-content-digest"), digest);
            let answer = client.get(&manifest_path(reference)).await;
            assert_eq!(
                (answer.expect(200).text(), answer.header("docker-content-digest")),
                (text.clone(), digest.as_str())
            );
        }
        for (digest, bytes) in &self.blobs {
            assert_eq!(
                client.head(&blob_path(digest)).await.expect(200).header("content-length"),
                bytes.len().to_string()
            );
            assert_eq!(&client.get(&blob_path(digest)).await.expect(200).body, bytes);
        }
    }

    async fn refer(&self, client: &client::Client) {
        for (subject, referrer) in &self.referrers {
            let all = client.get(&referrers_path(subject)).await.expect(200).json();
            assert!(all["manifests"].as_array().unwrap().contains(referrer), "{referrer} in {all}");
            let Some(artifact_type) = referrer["artifactType"].as_str() else { continue };
            let path = format!("{}?artifactType={}", referrers_path(subject), artifact_type.replace('+', "%2B"));
            let answer = client.get(&path).await;
            assert_eq!(answer.expect(200).header("oci-filters-applied"), "artifactType");
            let some = answer.json()["manifests"].as_array().unwrap().clone();
            assert!(some.contains(referrer) && some.iter().all(|one| one["artifactType"] == artifact_type));
        }
    }

    async fn delete(&self, client: &client::Client) {
        for (tag, _) in &self.tags {
            client.delete(&manifest_path(tag)).await.expect(202);
            client.head(&manifest_path(tag)).await.expect(404);
        }
        for (digest, _) in self.manifests.iter().rev() {
            client.delete(&manifest_path(digest)).await.expect(202);
            client.head(&manifest_path(digest)).await.expect(404);
        }
        for digest in self.blobs.keys() {
            client.delete(&blob_path(digest)).await.expect(202);
            client.head(&blob_path(digest)).await.expect(404);
        }
    }
}

#[tokio::test]
async fn image() {
    let mut data = Data::new();
    data.added_image(Some("image"));
    data.run().await;
}

#[tokio::test]
async fn image_uncompressed() {
    let mut data = Data::new();
    let image = data.image(2, LAYER);
    data.manifest(&image, Some("image-uncompressed"));
    data.run().await;
}

#[tokio::test]
async fn large_manifest() {
    let mut data = Data::new();
    let mut image = data.image(2, LAYER_GZIP);
    for number in 0..390 {
        image["annotations"][format!("large-annotation-{number}")] = json!("A".repeat(10_000));
    }
    data.manifest(&image, Some("large-manifest"));
    data.run().await;
}

#[tokio::test]
async fn index() {
    let mut data = Data::new();
    let children = [data.added_image(None), data.added_image(None)];
    let index = data.index(&children);
    data.manifest(&index, Some("index"));
    data.run().await;
}

#[tokio::test]
async fn nested_index() {
    let mut data = Data::new();
    let mut indexes = Vec::new();
    for _ in 0..2 {
        let children = [data.added_image(None), data.added_image(None)];
        let index = data.index(&children);
        indexes.push(data.manifest(&index, None));
    }
    let index = data.index(&indexes);
    data.manifest(&index, Some("index-of-index"));
    data.run().await;
}

#[tokio::test]
async fn empty_index() {
    let mut data = Data::new();
    let index = data.index(&[]);
    data.manifest(&index, Some("index"));
    data.run().await;
}

#[tokio::test]
async fn artifact() {
    let mut data = Data::new();
    let artifact = data.artifact(EXAMPLE, EXAMPLE);
    data.manifest(&artifact, Some("artifact"));
    data.run().await;
}

#[tokio::test]
async fn artifact_index() {
    let mut data = Data::new();
    let artifact = data.artifact(EXAMPLE, EXAMPLE);
    let child = data.manifest(&artifact, None);
    let mut index = data.index(&[child]);
    index["artifactType"] = json!(EXAMPLE);
    data.manifest(&index, Some("artifact-index"));
    data.run().await;
}

#[tokio::test]
async fn artifact_without_layers() {
    let mut data = Data::new();
    let artifact = data.artifact(EXAMPLE, EMPTY_JSON);
    data.manifest(&artifact, Some("artifact-without-layers"));
    data.run().await;
}

#[tokio::test]
async fn artifacts_with_subject() {
    let mut data = Data::new();
    let subject = data.added_image(Some("image"));
    let mut image = data.image(2, LAYER_GZIP);
    image["subject"] = subject.clone();
    data.manifest(&image, None);
    for (number, artifact_type) in [EXAMPLE, "application/vnd.example.oci.conformance.v2"].iter().enumerate() {
        let mut artifact = data.artifact(artifact_type, EXAMPLE);
        artifact["subject"] = subject.clone();
        artifact["annotations"] = json!({"org.opencontainers.conformance": "hello", "unique": number.to_string()});
        data.manifest(&artifact, Some(&format!("tagged-artifact{number}")));
    }
    data.run().await;
}

#[tokio::test]
async fn index_with_subject() {
    let mut data = Data::new();
    let children = [data.added_image(None)];
    let index = data.index(&children);
    let subject = data.manifest(&index, Some("index"));
    let artifact = data.artifact(EXAMPLE, EXAMPLE);
    let child = data.manifest(&artifact, None);
    let mut index = data.index(&[child]);
    index["artifactType"] = json!(EXAMPLE);
    index["subject"] = subject;
    index["annotations"] = json!({"org.opencontainers.conformance": "hello"});
    data.manifest(&index, Some("tagged-artifact"));
    data.run().await;
}

#[tokio::test]
async fn missing_subject() {
    let mut data = Data::new();
    let mut artifact = data.artifact(EXAMPLE, EXAMPLE);
    artifact["subject"] = json!({"mediaType": OCI_MANIFEST, "size": 123, "digest": digest_of(b"missing content")});
    artifact["annotations"] = json!({"org.opencontainers.conformance": "hello"});
    data.manifest(&artifact, Some("tagged-artifact"));
    data.run().await;
}

#[tokio::test]
async fn data_field() {
    let mut data = Data { has_data: true, ..Data::new() };
    data.added_image(Some("data-field"));
    data.run().await;
}

#[tokio::test]
async fn non_distributable_layers() {
    let mut data = Data::new();
    let mut image = data.image(1, LAYER_GZIP);
    let elsewhere = |suffix: &str| {
        json!({
            "mediaType": format!("application/vnd.oci.image.layer.nondistributable.v1.tar{suffix}"),
            "digest": digest_of(suffix.as_bytes()), "size": 123_456, "urls": ["https://store.example.com/blob"],
        })
    };
    let layers = image["layers"].as_array_mut().unwrap();
    layers.splice(0..0, [elsewhere("+gzip"), elsewhere("")]);
    data.manifest(&image, Some("non-distributable-image"));
    data.run().await;
}

#[tokio::test]
async fn custom_fields() {
    let mut data = Data::new();
    let mut image = data.image(2, LAYER_GZIP);
    image["org.opencontainers.conformance"] = json!({"some": ["thing"]});
    image["config"]["another"] = json!(1.5e300);
    let child = data.manifest(&image, None);
    let mut index = data.index(&[child]);
    index["customField"] = json!(null);
    data.manifest(&index, Some("custom-fields"));
    data.run().await;
}

#[tokio::test]
async fn no_layers() {
    let mut data = Data::new();
    let image = data.image(0, LAYER_GZIP);
    data.manifest(&image, Some("no-layers"));
    data.run().await;
}

#[tokio::test]
async fn sparse_manifests_are_refused_as_amazon_ecr_refuses_them() {
    let client = client().await;
    let mut data = Data::new();
    let image = data.image(2, LAYER_GZIP).to_string();
    let removed = data.blobs.keys().next().unwrap().clone();
    data.blobs.remove(&removed);
    data.push(&client).await;
    client.manifest(NAME, "sparse-image", &image).await.refuses(400, "MANIFEST_BLOB_UNKNOWN");
    let index = index_of(&[(&dummy_digest(), 1024)]);
    client.manifest(NAME, "sparse-index", &index).await.refuses(400, "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn sha512() {
    let mut data = Data { algorithm: Algorithm::Sha512, ..Data::new() };
    let children = [data.added_image(None), data.added_image(None)];
    let index = data.index(&children);
    data.manifest(&index, None);
    data.run().await;
}

/// Pushes an index whose manifests get their tags from the query.
async fn tag_param(algorithm: Algorithm) {
    let client = client().await;
    let mut data = Data { algorithm, ..Data::new() };
    let children = [data.added_image(None)];
    let index = data.index(&children);
    data.manifest(&index, None);
    for (digest, bytes) in &data.blobs {
        client.blob_as(NAME, digest, bytes).await;
    }
    for (number, (digest, text)) in data.manifests.iter().enumerate() {
        let tags = [format!("tag-param-{number}"), format!("tag-param-{number}-again")];
        let path = format!("{digest}?tag={}&tag={}", tags[0], tags[1]);
        let answer = client.manifest(NAME, &path, text).await;
        let given: Vec<&str> =
            answer.expect(201).headers.get_all("oci-tag").iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(given, tags);
        data.tags.extend(tags.into_iter().map(|tag| (tag, digest.clone())));
    }
    data.list(&client).await;
    data.head_and_pull(&client).await;
    data.delete(&client).await;
}

#[tokio::test]
async fn tag_param_sha256() {
    tag_param(Algorithm::Sha256).await;
}

#[tokio::test]
async fn tag_param_sha512() {
    tag_param(Algorithm::Sha512).await;
}

#[tokio::test]
async fn bad_digest_image() {
    let client = client().await;
    let mut data = Data::new();
    data.added_image(None);
    for (digest, bytes) in &data.blobs {
        client.blob_as(NAME, digest, bytes).await;
    }
    let (digest, text) = &data.manifests[0];
    client.manifest(NAME, digest, &format!("{text}  ")).await.refuses(400, "DIGEST_INVALID");
    client.head(&manifest_path(digest)).await.expect(404);
}
