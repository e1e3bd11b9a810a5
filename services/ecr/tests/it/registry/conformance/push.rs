use super::*;

/// Sends a chunk.
async fn patch(client: &client::Client, at: &str, range: Option<&str>, bytes: &[u8]) -> client::Answer {
    let headers: Vec<(&str, &str)> = range.map(|range| ("content-range", range)).into_iter().collect();
    client.send("PATCH", at, &headers, bytes).await
}

mod blob_upload_streamed {
    use super::*;

    #[tokio::test]
    async fn patch_request_with_blob_in_body_should_yield_202_response() {
        let client = client().await;
        let at = client.begin(NAME).await;
        patch(&client, &at, None, b"streamed").await.expect(202);
    }

    #[tokio::test]
    async fn put_request_to_session_url_with_digest_should_yield_201_response() {
        let client = client().await;
        let at = client.begin(NAME).await;
        let at = patch(&client, &at, None, b"streamed").await.location();
        let digest = digest_of(b"streamed");
        let answer = client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await;
        assert_eq!(answer.expect(201).location(), blob_path(&digest));
    }
}

mod blob_upload_monolithic {
    use super::*;

    #[tokio::test]
    async fn get_nonexistent_blob_should_result_in_404_response() {
        client().await.get(&blob_path(&dummy_digest())).await.expect(404);
    }

    #[tokio::test]
    async fn post_request_with_digest_and_blob_should_yield_a_201_or_202() {
        let digest = digest_of(b"config");
        let path = format!("/v2/{NAME}/blobs/uploads/?digest={digest}");
        let answer = client().await.send("POST", &path, &[], b"config").await;
        assert_eq!(answer.expect(201).location(), blob_path(&digest));
    }

    #[tokio::test]
    async fn get_request_to_blob_url_from_prior_request_should_yield_200_or_404_based_on_response_code() {
        let client = client().await;
        let path = format!("/v2/{NAME}/blobs/uploads/?digest={}", digest_of(b"config"));
        let at = client.send("POST", &path, &[], b"config").await.location();
        assert_eq!(client.get(&at).await.expect(200).body, b"config");
    }

    #[tokio::test]
    async fn post_request_should_yield_a_session_id() {
        let client = client().await;
        let answer = client.post(&format!("/v2/{NAME}/blobs/uploads/")).await;
        answer.expect(202);
        let id = answer.header("docker-upload-uuid").to_owned();
        assert_eq!(answer.location(), format!("/v2/{NAME}/blobs/uploads/{id}"));
    }

    #[tokio::test]
    async fn put_upload_of_a_blob_should_yield_a_201_response() {
        let client = client().await;
        let at = client.begin(NAME).await;
        let answer = client.send("PUT", &format!("{at}?digest={}", digest_of(b"config")), &[], b"config").await;
        assert_eq!(answer.expect(201).location(), blob_path(&digest_of(b"config")));
    }

    #[tokio::test]
    async fn get_request_to_existing_blob_should_yield_200_response() {
        let client = client().await;
        let digest = client.blob(NAME, b"config").await;
        client.get(&blob_path(&digest)).await.expect(200);
    }

    #[tokio::test]
    async fn put_upload_of_a_layer_blob_should_yield_a_201_response() {
        client().await.blob(NAME, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).await;
    }

    #[tokio::test]
    async fn get_request_to_existing_layer_should_yield_200_response() {
        let client = client().await;
        let digest = client.blob(NAME, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0]).await;
        client.get(&blob_path(&digest)).await.expect(200);
    }
}

mod blob_upload_chunked {
    use super::*;

    #[tokio::test]
    async fn out_of_order_blob_upload_should_return_416() {
        let client = client().await;
        let at = client.begin(NAME).await;
        patch(&client, &at, Some("3-5"), b"def").await.refuses(416, "BLOB_UPLOAD_INVALID");
    }

    #[tokio::test]
    async fn patch_request_with_first_chunk_should_return_202() {
        let client = client().await;
        let at = client.begin(NAME).await;
        assert_eq!(patch(&client, &at, Some("0-2"), b"abc").await.expect(202).header("range"), "0-2");
    }

    #[tokio::test]
    async fn retry_previous_blob_chunk_should_return_416() {
        let client = client().await;
        let at = client.begin(NAME).await;
        patch(&client, &at, Some("0-2"), b"abc").await.expect(202);
        let answer = patch(&client, &at, Some("0-2"), b"abc").await;
        answer.refuses(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((answer.location(), answer.header("range")), (at, "0-2"));
    }

    #[tokio::test]
    async fn get_on_stale_blob_upload_should_return_204_with_a_range_and_location() {
        let client = client().await;
        let at = client.begin(NAME).await;
        patch(&client, &at, Some("0-2"), b"abc").await.expect(202);
        let answer = client.get(&at).await;
        answer.expect(204);
        assert_eq!((answer.location(), answer.header("range")), (at, "0-2"));
    }

    #[tokio::test]
    async fn patch_request_with_second_chunk_should_return_202() {
        let client = client().await;
        let at = client.begin(NAME).await;
        let at = patch(&client, &at, Some("0-2"), b"abc").await.location();
        assert_eq!(patch(&client, &at, Some("3-5"), b"def").await.expect(202).header("range"), "0-5");
    }

    #[tokio::test]
    async fn put_request_with_digest_should_return_201() {
        let client = client().await;
        let at = client.begin(NAME).await;
        let at = patch(&client, &at, Some("0-2"), b"abc").await.location();
        let at = patch(&client, &at, Some("3-5"), b"def").await.location();
        let digest = digest_of(b"abcdef");
        client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await.expect(201);
        assert_eq!(client.get(&blob_path(&digest)).await.body, b"abcdef");
    }
}

mod cross_repository_blob_mount {
    use super::*;

    fn mount(digest: &str, from: &str) -> String {
        format!("/v2/{OTHER_NAME}/blobs/uploads/?mount={digest}{from}")
    }

    fn from() -> String {
        format!("&from={NAME}")
    }

    #[tokio::test]
    async fn cross_mounting_of_a_blob_without_the_from_argument_should_yield_session_id() {
        let answer = client().await.post(&mount(&dummy_digest(), "")).await;
        assert!(answer.expect(202).location().starts_with(&format!("/v2/{OTHER_NAME}/blobs/uploads/")));
    }

    #[tokio::test]
    async fn post_request_to_mount_another_repositorys_blob_should_return_201_or_202() {
        let client = client().await;
        let digest = client.blob(NAME, b"shared").await;
        client.post(&mount(&digest, &from())).await.expect(201);
    }

    #[tokio::test]
    async fn get_request_to_test_digest_within_cross_mount_namespace_should_return_200() {
        let client = client().await;
        let digest = client.blob(NAME, b"shared").await;
        let at = client.post(&mount(&digest, &from())).await.location();
        assert_eq!(at, format!("/v2/{OTHER_NAME}/blobs/{digest}"));
        assert_eq!(client.get(&at).await.expect(200).body, b"shared");
    }

    #[tokio::test]
    async fn cross_mounting_of_nonexistent_blob_should_yield_session_id() {
        let answer = client().await.post(&mount(&dummy_digest(), &from())).await;
        assert!(answer.expect(202).location().starts_with(&format!("/v2/{OTHER_NAME}/blobs/uploads/")));
    }

    #[tokio::test]
    async fn cross_mounting_without_from_and_automatic_content_discovery_enabled_should_return_a_201() {
        let client = client().await;
        let digest = client.blob(NAME, b"shared").await;
        client.post(&mount(&digest, "")).await.expect(201);
    }

    #[tokio::test]
    async fn cross_mounting_without_from_and_automatic_content_discovery_disabled_should_return_a_202() {
        let client = client().await;
        let digest = client.blob(NAME, b"shared").await;
        client.api.ok("PutAccountSetting", json!({"name": "BLOB_MOUNTING", "value": "DISABLED"})).await;
        client.post(&mount(&digest, "")).await.expect(202);
    }
}

mod manifest_upload {
    use super::*;

    #[tokio::test]
    async fn get_nonexistent_manifest_should_return_404() {
        client().await.get(&manifest_path("gone")).await.expect(404);
    }

    #[tokio::test]
    async fn put_should_accept_a_manifest_upload() {
        let client = client().await;
        let manifest = client.image(NAME, "test0", "one").await;
        for tag in ["test1", "test2", "test3"] {
            let answer = client.manifest(NAME, tag, &manifest).await;
            assert_eq!(answer.expect(201).location(), manifest_path(&digest_of(manifest.as_bytes())));
        }
    }

    #[tokio::test]
    async fn registry_should_accept_a_manifest_upload_with_no_layers() {
        let client = client().await;
        client.blob(NAME, b"{}").await;
        let manifest = manifest_of(&client::of_bytes(b"{}"), &[]);
        client.manifest(NAME, "emptylayer", &manifest).await.expect(201);
    }

    #[tokio::test]
    async fn get_request_to_manifest_url_digest_should_yield_200_response() {
        let client = client().await;
        let manifest = client.image(NAME, "test0", "one").await;
        let at = manifest_path(&digest_of(manifest.as_bytes()));
        assert_eq!(client.send("GET", &at, &[("accept", OCI_MANIFEST)], b"").await.expect(200).text(), manifest);
    }
}

mod teardown {
    use super::*;

    #[tokio::test]
    async fn delete_manifest_config_blob_and_layer_blob_created_in_tests() {
        let client = client().await;
        let manifest = client.image(NAME, "test0", "one").await;
        client.delete(&manifest_path(&digest_of(manifest.as_bytes()))).await.expect(202);
        for blob in [json!({"content": "one"}).to_string().as_bytes(), b"layer"] {
            client.delete(&blob_path(&digest_of(blob))).await.expect(202);
        }
    }
}
