use ecr::digest::{Algorithm, ContentDigest};

use super::client::{Client, of_bytes};
use super::*;

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

async fn client() -> Client {
    let client = Client::new();
    client.api.repository("team/web").await;
    client
}

/// A Docker image with a layer of gzip and one of zstd.
async fn docker_image(client: &Client) -> String {
    let (config, gzip, zstd) = (b"{}", [0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]);
    for blob in [config.as_slice(), &gzip, &zstd] {
        client.blob("team/web", blob).await;
    }
    json!({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest_of(config),
        },
        "layers": [
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 4, "digest": digest_of(&gzip)},
            {"mediaType": "application/vnd.docker.image.rootfs.diff.tar.zstd", "size": 4, "digest": digest_of(&zstd)},
        ],
    })
    .to_string()
}

#[tokio::test]
async fn docker_images_and_lists_of_schema_2_come_back_as_they_were() {
    let client = client().await;
    let image = docker_image(&client).await;
    client.manifest("team/web", "docker", &image).await.expect(201);
    let list = json!({
        "schemaVersion": 2, "mediaType": DOCKER_LIST,
        "manifests": [{
            "mediaType": DOCKER_MANIFEST, "size": image.len(), "digest": digest_of(image.as_bytes()),
            "platform": {"architecture": "amd64", "os": "linux"},
        }],
    })
    .to_string();
    client.manifest("team/web", "list", &list).await.expect(201);
    for (tag, media_type, text) in [("docker", DOCKER_MANIFEST, &image), ("list", DOCKER_LIST, &list)] {
        let answer = client.get(&format!("/v2/team/web/manifests/{tag}")).await;
        assert_eq!((answer.expect(200).header("content-type"), answer.text()), (media_type, text.clone()));
        assert_eq!(answer.header("docker-content-digest"), digest_of(text.as_bytes()));
        assert_eq!(answer.header("etag"), format!("\"{}\"", digest_of(text.as_bytes())));
    }
}

#[tokio::test]
async fn a_manifest_names_only_what_its_own_repository_has() {
    let client = client().await;
    client.api.repository("other").await;
    client.blob("other", b"secret").await;
    client.blob("team/web", b"{}").await;
    let child = client.image("other", "child", "one").await;
    // A configuration, a layer, an image of an index: whatever others have, it is not there.
    for manifest in [
        manifest_of(&of_bytes(b"secret"), &[]),
        manifest_of(&of_bytes(b"{}"), &[&of_bytes(b"secret")]),
        index_of(&[(&digest_of(child.as_bytes()), child.len())]),
        index_of(&[(&digest_of(b"secret"), 6)]),
    ] {
        let answer = client.manifest("team/web", "stolen", &manifest).await;
        answer.refuses(400, "MANIFEST_BLOB_UNKNOWN");
        assert!(answer.json()["errors"][0]["detail"]["digests"].is_array());
    }
    // A layer that calls itself one of those that are fetched from elsewhere lets nobody read it either.
    let layer = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar", "digest": digest_of(b"secret"), "size": 6,
    });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [layer],
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(b"{}"), "size": 2},
    });
    client.manifest("team/web", "foreign", &manifest.to_string()).await.expect(201);
    let secret = format!("/v2/team/web/blobs/{}", digest_of(b"secret"));
    client.get(&secret).await.refuses(404, "BLOB_UNKNOWN");
    client.head(&secret).await.expect(404);
    // Nor does one that says what it refers to.
    let subject = json!({"mediaType": OCI_MANIFEST, "digest": digest_of(child.as_bytes()), "size": child.len()});
    let mut manifest: Value = serde_json::from_str(&manifest_of(&of_bytes(b"{}"), &[])).unwrap();
    manifest["subject"] = subject;
    client.manifest("team/web", "subject", &manifest.to_string()).await.expect(201);
    let theirs = format!("/v2/team/web/manifests/{}", digest_of(child.as_bytes()));
    client.get(&theirs).await.refuses(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_that_is_known_is_not_sent_again() {
    let client = client().await;
    let manifest = client.image("team/web", "v1", "one").await;
    let tag = format!("\"other\", W/\"{}\"", digest_of(manifest.as_bytes()));
    let answer = client.send("GET", "/v2/team/web/manifests/v1", &[("if-none-match", &tag)], b"").await;
    assert!(answer.expect(304).body.is_empty());
    let other = [("if-none-match", "\"sha256:other\"")];
    client.send("GET", "/v2/team/web/manifests/v1", &other, b"").await.expect(200);
}

#[tokio::test]
async fn pulling_is_recorded_and_asking_is_not() {
    let client = client().await;
    client.image("team/web", "v1", "one").await;
    let pulled = async || {
        let input = json!({"repositoryName": "team/web", "imageIds": [{"imageTag": "v1"}]});
        client.api.ok("DescribeImages", input).await["imageDetails"][0]["lastRecordedPullTime"].clone()
    };
    client.head("/v2/team/web/manifests/v1").await.expect(200);
    assert_eq!(pulled().await, Value::Null);
    client.get("/v2/team/web/manifests/v1").await.expect(200);
    assert_eq!(pulled().await, START / 1000);
}

#[tokio::test]
async fn an_immutable_tag_is_refused_in_amazon_ecrs_words() {
    let client = client().await;
    let mutability = json!({"repositoryName": "team/web", "imageTagMutability": "IMMUTABLE"});
    client.api.ok("PutImageTagMutability", mutability).await;
    let manifest = client.image("team/web", "v1", "one").await;
    client.manifest("team/web", "v1", &manifest).await.expect(201);
    let config = json!({"content": "two"}).to_string();
    client.blob("team/web", config.as_bytes()).await;
    let other = manifest_of(&of_bytes(config.as_bytes()), &[]);
    let answer = client.manifest("team/web", "v1", &other).await;
    answer.refuses(400, "TAG_INVALID");
    let said = "The image tag 'v1' already exists in the 'team/web' repository and cannot be overwritten because the tag \
                is immutable.";
    assert_eq!(answer.message(), said);
    assert_eq!(client.get("/v2/team/web/manifests/v1").await.text(), manifest);
}

#[tokio::test]
async fn an_archived_image_is_not_pulled_until_it_is_pushed_again() {
    let client = client().await;
    let manifest = client.image("team/web", "v1", "one").await;
    let archive = json!({"repositoryName": "team/web", "imageId": {"imageTag": "v1"}, "targetStorageClass": "ARCHIVE"});
    client.api.ok("UpdateImageStorageClass", archive).await;
    for reference in ["v1", &digest_of(manifest.as_bytes())] {
        let path = format!("/v2/team/web/manifests/{reference}");
        client.get(&path).await.refuses(404, "MANIFEST_UNKNOWN");
        client.head(&path).await.expect(404);
    }
    client.manifest("team/web", "v1", &manifest).await.expect(201);
    client.get("/v2/team/web/manifests/v1").await.expect(200);
}

#[tokio::test]
async fn several_tags_are_given_at_once() {
    let client = client().await;
    let manifest = client.image("team/web", "v1", "one").await;
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let digest = ContentDigest::of(algorithm, manifest.as_bytes());
        let answer = client.manifest("team/web", &format!("{digest}?tag=a&tag=b"), &manifest).await;
        let given: Vec<&str> =
            answer.expect(201).headers.get_all("oci-tag").iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(given, ["a", "b"]);
        assert_eq!(client.head("/v2/team/web/manifests/b").await.header("docker-content-digest"), digest.as_str());
    }
    let digest = digest_of(manifest.as_bytes());
    let many: String = (0..20).map(|number| format!("&tag=t{number}")).collect();
    for query in ["tag=a%2Fb", "tag=", &many] {
        client.manifest("team/web", &format!("{digest}?{query}"), &manifest).await.refuses(400, "TAG_INVALID");
    }
}

#[tokio::test]
async fn what_is_no_manifest_is_refused() {
    let client = client().await;
    client.blob("team/web", b"{}").await;
    let right = manifest_of(&of_bytes(b"{}"), &[]);
    let wrong_data = right.replace("\"size\":2", "\"size\":2,\"data\":\"e30K\"");
    assert_ne!(wrong_data, right);
    let image_and_index = right.replace("\"layers\":[]", "\"layers\":[],\"manifests\":[]");
    for text in ["", "{}", "[]", "null", "blablabla", &wrong_data, &image_and_index, "{\"schemaVersion\":1}"] {
        client.manifest("team/web", "v1", text).await.refuses(400, "MANIFEST_INVALID");
    }
    let path = "/v2/team/web/manifests/v1";
    for media_type in ["text/plain", DOCKER_MANIFEST, "application/json"] {
        let answer = client.send("PUT", path, &[("content-type", media_type)], right.as_bytes()).await;
        answer.refuses(400, "MANIFEST_INVALID");
    }
    let with_parameter = format!("{OCI_MANIFEST}; charset=utf-8");
    client.send("PUT", path, &[("content-type", &with_parameter)], right.as_bytes()).await.expect(201);
    client.send("PUT", path, &[], right.as_bytes()).await.expect(201);
}

#[tokio::test]
async fn a_manifest_has_the_digest_that_it_is_put_under() {
    let client = client().await;
    let manifest = client.image("team/web", "v1", "one").await;
    client.manifest("team/web", &digest_of(b"other"), &manifest).await.refuses(400, "DIGEST_INVALID");
    client.manifest("team/web", "sha256:xyz", &manifest).await.refuses(400, "DIGEST_INVALID");
    client.manifest("team/web", "-v1", &manifest).await.refuses(400, "TAG_INVALID");
    client.manifest("team/web", &"x".repeat(129), &manifest).await.refuses(400, "TAG_INVALID");
    client.manifest("team/web", &"x".repeat(128), &manifest).await.expect(201);
}

#[tokio::test]
async fn a_manifest_has_up_to_four_mib() {
    let client = client().await;
    client.blob("team/web", b"{}").await;
    let right = manifest_of(&of_bytes(b"{}"), &[]);
    let padded = |length: usize| format!("{right}{}", " ".repeat(length - right.len()));
    client.manifest("team/web", "v1", &padded(4 * 1024 * 1024)).await.expect(201);
    client.manifest("team/web", "v1", &padded(4 * 1024 * 1024 + 1)).await.refuses(413, "SIZE_INVALID");
}

#[tokio::test]
async fn an_image_of_an_index_is_not_deleted() {
    let client = client().await;
    let child = client.image("team/web", "child", "one").await;
    let index = index_of(&[(&digest_of(child.as_bytes()), child.len())]);
    client.manifest("team/web", "all", &index).await.expect(201);
    let path = format!("/v2/team/web/manifests/{}", digest_of(child.as_bytes()));
    client.delete(&path).await.refuses(405, "UNSUPPORTED");
    client.delete("/v2/team/web/manifests/child").await.expect(202);
    client.delete(&format!("/v2/team/web/manifests/{}", digest_of(index.as_bytes()))).await.expect(202);
    client.delete(&path).await.expect(202);
}

#[tokio::test]
async fn long_manifests_are_sent_from_their_files_so_that_those_who_do_not_read_take_no_memory() {
    let client = Client::new();
    client.api.repository("web").await;
    let short = client.image("web", "short", "one").await;
    let mut long: Value = serde_json::from_str(&short).unwrap();
    long["annotations"] = json!({"long": "x".repeat(100_000)});
    client.manifest("web", "long", &long.to_string()).await.expect(201);
    for (tag, manifest, is_file) in [("short", &short, false), ("long", &long.to_string(), true)] {
        let answer = client.get(&format!("/v2/web/manifests/{tag}")).await;
        assert_eq!((answer.text(), answer.is_file), (manifest.clone(), is_file));
        assert_eq!(answer.header("docker-content-digest"), digest_of(manifest.as_bytes()));
    }
    let details = client.api.ok("DescribeImages", json!({"repositoryName": "web"})).await;
    for image in details["imageDetails"].as_array().unwrap() {
        assert!(image["lastRecordedPullTime"].is_number(), "{image}");
    }
}
