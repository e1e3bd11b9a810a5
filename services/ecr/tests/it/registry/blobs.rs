use super::client::Client;
use super::*;

const BYTES: &[u8] = b"0123456789";

async fn client() -> (Client, String) {
    let client = Client::new();
    client.api.repository("web").await;
    let digest = client.blob("web", BYTES).await;
    (client, format!("/v2/web/blobs/{digest}"))
}

#[tokio::test]
async fn a_blob_says_what_it_is() {
    let (client, path) = client().await;
    let answer = client.get(&path).await;
    assert_eq!(answer.expect(200).body, BYTES);
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("docker-content-digest", &digest_of(BYTES)),
        ("etag", &format!("\"{}\"", digest_of(BYTES))),
        ("accept-ranges", "bytes"),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
        assert_eq!(client.head(&path).await.header(name), value, "{name}");
    }
    assert_eq!(client.head(&path).await.expect(200).header("content-length"), "10");
}

#[tokio::test]
async fn a_part_of_a_blob_is_answered_as_one() {
    let (client, path) = client().await;
    for (range, from, to) in [("bytes=2-4", 2, 5), ("bytes=7-", 7, 10), ("bytes=-3", 7, 10), ("bytes=8-100", 8, 10)] {
        let answer = client.send("GET", &path, &[("range", range)], b"").await;
        assert_eq!(answer.expect(206).body, &BYTES[from..to], "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/10", to - 1));
        assert_eq!(answer.header("docker-content-digest"), digest_of(BYTES));
    }
    for range in ["bytes=10-", "bytes=5-4", "bytes=-0", "bytes=18446744073709551616-"] {
        let answer = client.send("GET", &path, &[("range", range)], b"").await;
        answer.refuses(416, "RANGE_INVALID");
        assert_eq!(answer.header("content-range"), "bytes */10");
    }
    for range in ["bytes=0-1,4-5", "lines=0-1", "bytes=x"] {
        assert_eq!(client.send("GET", &path, &[("range", range)], b"").await.expect(200).body, BYTES);
    }
}

#[tokio::test]
async fn a_range_of_something_else_is_answered_with_the_whole() {
    let (client, path) = client().await;
    let tag = format!("\"{}\"", digest_of(BYTES));
    for (if_range, status) in [(tag.as_str(), 206), ("\"other\"", 200), ("Thu, 01 Jan 2026 00:00:00 GMT", 200)] {
        let headers = [("range", "bytes=1-2"), ("if-range", if_range)];
        client.send("GET", &path, &headers, b"").await.expect(status);
    }
    // Of a HEAD there are no parts.
    let answer = client.send("HEAD", &path, &[("range", "bytes=1-2")], b"").await;
    assert_eq!(answer.expect(200).header("content-length"), "10");
}

#[tokio::test]
async fn a_blob_that_is_known_is_not_sent_again() {
    let (client, path) = client().await;
    let tag = format!("\"{}\"", digest_of(BYTES));
    assert!(client.send("GET", &path, &[("if-none-match", &tag)], b"").await.expect(304).body.is_empty());
    client.send("GET", &path, &[("if-none-match", "\"other\"")], b"").await.expect(200);
}

#[tokio::test]
async fn an_empty_blob_is_one() {
    let (client, _) = client().await;
    let digest = client.blob("web", b"").await;
    let path = format!("/v2/web/blobs/{digest}");
    assert!(client.get(&path).await.expect(200).body.is_empty());
    assert_eq!(client.head(&path).await.header("content-length"), "0");
    client.send("GET", &path, &[("range", "bytes=0-")], b"").await.refuses(416, "RANGE_INVALID");
    let whole = format!("/v2/web/blobs/uploads/?digest={digest}");
    client.send("POST", &whole, &[], b"").await.expect(201);
}

#[tokio::test]
async fn a_blob_that_an_image_has_is_not_deleted() {
    let (client, path) = client().await;
    client.image("web", "v1", "one").await;
    client.delete(&path).await.expect(202);
    client.delete(&path).await.refuses(404, "BLOB_UNKNOWN");
    let answer = client.delete(&format!("/v2/web/blobs/{}", digest_of(b"layer"))).await;
    answer.refuses(405, "UNSUPPORTED");
    assert_eq!(answer.header("allow"), "GET, HEAD");
}

#[tokio::test]
async fn a_client_that_was_told_of_a_blob_has_time_to_push_its_image() {
    let (client, path) = client().await;
    client.api.advance(Duration::from_secs(23 * 3600));
    let client = client.logged_in();
    client.head(&path).await.expect(200);
    client.api.advance(Duration::from_secs(23 * 3600));
    client.api.reconcile(ecr::reconcile::references::reconciler(&client.api.ecr)).await;
    client.logged_in().get(&path).await.expect(200);
    client.api.advance(Duration::from_secs(2 * 3600));
    client.api.reconcile(ecr::reconcile::references::reconciler(&client.api.ecr)).await;
    client.logged_in().get(&path).await.refuses(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn what_the_api_uploads_the_registry_has_and_the_other_way_round() {
    let (client, _) = client().await;
    let layer = client.api.layer("web", b"from the api").await;
    assert_eq!(client.get(&format!("/v2/web/blobs/{}", layer.digest)).await.expect(200).body, b"from the api");
    let check = json!({"repositoryName": "web", "layerDigests": [digest_of(BYTES)]});
    let answer = client.api.ok("BatchCheckLayerAvailability", check).await;
    assert_eq!(answer["layers"][0]["layerAvailability"], "AVAILABLE");
    let upload = client.begin("web").await;
    let id = upload.rsplit('/').next().unwrap();
    client.send("PATCH", &upload, &[], b"half").await.expect(202);
    let complete = json!({"repositoryName": "web", "uploadId": id, "layerDigests": [digest_of(b"half")]});
    client.api.ok("CompleteLayerUpload", complete).await;
    client.get(&format!("/v2/web/blobs/{}", digest_of(b"half"))).await.expect(200);
}
