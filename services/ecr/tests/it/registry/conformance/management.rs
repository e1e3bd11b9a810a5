use super::*;

const TAG: &str = "tagtest0";

async fn setup() -> (client::Client, String) {
    let client = client().await;
    let manifest = client.image(NAME, TAG, "one").await;
    (client, digest_of(manifest.as_bytes()))
}

mod manifest_delete {
    use super::*;

    #[tokio::test]
    async fn delete_request_to_manifest_tag_should_return_202_unless_tag_deletion_is_disallowed() {
        let (client, digest) = setup().await;
        client.delete(&manifest_path(TAG)).await.expect(202);
        client.get(&manifest_path(TAG)).await.expect(404);
        client.get(&manifest_path(&digest)).await.expect(200);
    }

    #[tokio::test]
    async fn delete_request_to_manifest_digest_should_yield_202_response_unless_already_deleted() {
        let (client, digest) = setup().await;
        client.delete(&manifest_path(&digest)).await.expect(202);
        client.delete(&manifest_path(&digest)).await.refuses(404, "MANIFEST_UNKNOWN");
    }

    #[tokio::test]
    async fn get_request_to_deleted_manifest_url_should_yield_404_response_unless_delete_is_disallowed() {
        let (client, digest) = setup().await;
        client.delete(&manifest_path(&digest)).await.expect(202);
        client.get(&manifest_path(&digest)).await.expect(404);
        client.get(&manifest_path(TAG)).await.expect(404);
    }

    #[tokio::test]
    async fn get_request_to_tags_list_should_reflect_manifest_deletion() {
        let (client, digest) = setup().await;
        assert_eq!(client.get(&tags_path()).await.json()["tags"], json!([TAG]));
        client.delete(&manifest_path(&digest)).await.expect(202);
        assert_eq!(client.get(&tags_path()).await.expect(200).json()["tags"], json!([]));
    }
}

mod blob_delete {
    use super::*;

    #[tokio::test]
    async fn delete_request_to_blob_url_should_yield_202_response() {
        let (client, digest) = setup().await;
        client.delete(&manifest_path(&digest)).await.expect(202);
        client.delete(&blob_path(&digest_of(b"layer"))).await.expect(202);
    }

    #[tokio::test]
    async fn get_request_to_deleted_blob_url_should_yield_404_response() {
        let (client, digest) = setup().await;
        client.delete(&manifest_path(&digest)).await.expect(202);
        client.delete(&blob_path(&digest_of(b"layer"))).await.expect(202);
        client.get(&blob_path(&digest_of(b"layer"))).await.expect(404);
    }
}
