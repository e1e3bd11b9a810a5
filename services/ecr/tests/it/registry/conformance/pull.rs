use super::*;

/// What the suite's setup populates: a tagged image and an untagged one.
struct Setup {
    client: client::Client,
    /// A configuration.
    config: Vec<u8>,
    manifests: [String; 2],
}

const TAG: &str = "tagtest0";

async fn setup() -> Setup {
    let client = client().await;
    let config = json!({"content": "one"}).to_string().into_bytes();
    let first = client.image(NAME, TAG, "one").await;
    let second = json!({"content": "two"}).to_string();
    client.blob(NAME, second.as_bytes()).await;
    let second = manifest_of(&client::of_bytes(second.as_bytes()), &[&client::of_bytes(b"layer")]);
    client.manifest(NAME, &digest_of(second.as_bytes()), &second).await.expect(201);
    Setup { client, config, manifests: [first, second] }
}

mod pull_blobs {
    use super::*;

    #[tokio::test]
    async fn head_request_to_nonexistent_blob_should_result_in_404_response() {
        setup().await.client.head(&blob_path(&dummy_digest())).await.expect(404);
    }

    #[tokio::test]
    async fn head_request_to_existing_blob_should_yield_200() {
        let Setup { client, config, .. } = setup().await;
        let digest = digest_of(&config);
        let answer = client.head(&blob_path(&digest)).await;
        assert_eq!(answer.expect(200).header("docker-content-digest"), digest);
        assert_eq!(answer.header("content-length"), config.len().to_string());
    }

    #[tokio::test]
    async fn get_nonexistent_blob_should_result_in_404_response() {
        setup().await.client.get(&blob_path(&dummy_digest())).await.refuses(404, "BLOB_UNKNOWN");
    }

    #[tokio::test]
    async fn get_request_to_existing_blob_url_should_yield_200() {
        let Setup { client, config, .. } = setup().await;
        assert_eq!(client.get(&blob_path(&digest_of(&config))).await.expect(200).body, config);
    }
}

mod pull_manifests {
    use super::*;

    #[tokio::test]
    async fn head_request_to_nonexistent_manifest_should_return_404() {
        setup().await.client.head(&manifest_path(".INVALID_MANIFEST_NAME")).await.expect(400);
        setup().await.client.head(&manifest_path("gone")).await.expect(404);
    }

    async fn head_by_digest(number: usize) {
        let Setup { client, manifests, .. } = setup().await;
        let digest = digest_of(manifests[number].as_bytes());
        let answer = client.send("HEAD", &manifest_path(&digest), &[("accept", OCI_MANIFEST)], b"").await;
        assert_eq!(answer.expect(200).header("docker-content-digest"), digest);
    }

    #[tokio::test]
    async fn head_request_to_manifest_0_path_digest_should_yield_200_response() {
        head_by_digest(0).await;
    }

    #[tokio::test]
    async fn head_request_to_manifest_1_path_digest_should_yield_200_response() {
        head_by_digest(1).await;
    }

    #[tokio::test]
    async fn head_request_to_manifest_path_tag_should_yield_200_response() {
        let Setup { client, manifests, .. } = setup().await;
        let answer = client.head(&manifest_path(TAG)).await;
        assert_eq!(answer.expect(200).header("docker-content-digest"), digest_of(manifests[0].as_bytes()));
        assert_eq!(answer.header("content-type"), OCI_MANIFEST);
        assert_eq!(answer.header("content-length"), manifests[0].len().to_string());
    }

    #[tokio::test]
    async fn get_nonexistent_manifest_should_return_404() {
        setup().await.client.get(&manifest_path("gone")).await.refuses(404, "MANIFEST_UNKNOWN");
    }

    async fn get_by_digest(number: usize) {
        let Setup { client, manifests, .. } = setup().await;
        let answer = client.get(&manifest_path(&digest_of(manifests[number].as_bytes()))).await;
        assert_eq!(answer.expect(200).text(), manifests[number]);
    }

    #[tokio::test]
    async fn get_request_to_manifest_0_path_digest_should_yield_200_response() {
        get_by_digest(0).await;
    }

    #[tokio::test]
    async fn get_request_to_manifest_1_path_digest_should_yield_200_response() {
        get_by_digest(1).await;
    }

    #[tokio::test]
    async fn get_request_to_manifest_path_tag_should_yield_200_response() {
        let Setup { client, manifests, .. } = setup().await;
        assert_eq!(client.get(&manifest_path(TAG)).await.expect(200).text(), manifests[0]);
    }
}

mod error_codes {
    use super::*;

    #[tokio::test]
    async fn response_body_of_400_should_contain_oci_conforming_json_message() {
        let client = setup().await.client;
        client.get(&manifest_path("sha256:totallywrong")).await.refuses(400, "DIGEST_INVALID");
        client.manifest(NAME, "sha256:totallywrong", "blablabla").await.refuses(400, "DIGEST_INVALID");
    }
}

mod teardown {
    use super::*;

    #[tokio::test]
    async fn delete_manifests_and_then_blobs_created_in_setup() {
        let Setup { client, config, manifests } = setup().await;
        for manifest in manifests {
            client.delete(&manifest_path(&digest_of(manifest.as_bytes()))).await.expect(202);
        }
        for blob in [config.as_slice(), b"layer"] {
            client.delete(&blob_path(&digest_of(blob))).await.expect(202);
        }
    }

    #[tokio::test]
    async fn delete_blobs_and_then_manifests_created_in_setup() {
        let Setup { client, config, manifests } = setup().await;
        for blob in [config.as_slice(), b"layer"] {
            client.delete(&blob_path(&digest_of(blob))).await.refuses(405, "UNSUPPORTED");
        }
        for manifest in manifests {
            client.delete(&manifest_path(&digest_of(manifest.as_bytes()))).await.expect(202);
        }
    }
}
