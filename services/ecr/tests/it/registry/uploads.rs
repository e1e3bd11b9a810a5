use ecr::digest::{Algorithm, ContentDigest};

use super::client::Client;
use super::*;

async fn client() -> Client {
    let client = Client::new();
    client.api.repository("web").await;
    client
}

impl Client {
    /// How many uploads go on.
    async fn uploads(&self) -> usize {
        self.api.keys().await.iter().filter(|key| key.contains("/upload/")).count()
    }
}

#[tokio::test]
async fn an_upload_tells_how_far_it_is() {
    let client = client().await;
    let at = client.begin("web").await;
    assert_eq!(client.get(&at).await.expect(204).header("range"), "0-0");
    client.send("PATCH", &at, &[], b"12345").await.expect(202);
    for method in ["GET", "HEAD"] {
        let answer = client.send(method, &at, &[], b"").await;
        assert_eq!((answer.expect(204).header("range"), answer.location()), ("0-4", at.clone()));
        assert_eq!(answer.header("docker-upload-uuid"), at.rsplit('/').next().unwrap());
    }
}

#[tokio::test]
async fn an_upload_is_cancelled() {
    let client = client().await;
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[], b"12345").await.expect(202);
    client.delete(&at).await.expect(204);
    for method in ["GET", "PATCH", "DELETE"] {
        client.send(method, &at, &[], b"").await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }
    assert_eq!(client.uploads().await, 0);
}

#[tokio::test]
async fn an_upload_goes_on_in_another_process() {
    let client = client().await;
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[], b"12345").await.expect(202);
    let mut api = client.api.clone();
    api.ecr.content = content(api.directory.path());
    let later = Client::of(api);
    assert_eq!(later.get(&at).await.header("range"), "0-4");
    let put = format!("{at}?digest={}", digest_of(b"1234567"));
    later.send("PUT", &put, &[("content-range", "5-6")], b"67").await.expect(201);
}

#[tokio::test]
async fn two_pushers_of_one_blob_both_succeed() {
    let client = client().await;
    let (one, two) = (client.begin("web").await, client.begin("web").await);
    for at in [&one, &two] {
        client.send("PATCH", at, &[], b"the same").await.expect(202);
    }
    let put = |at: &str| format!("{at}?digest={}", digest_of(b"the same"));
    let (one, two) = (put(&one), put(&two));
    let (one, two) = tokio::join!(client.send("PUT", &one, &[], b""), client.send("PUT", &two, &[], b""));
    one.expect(201);
    two.expect(201);
    assert_eq!(client.uploads().await, 0);
}

#[tokio::test]
async fn a_blob_that_is_something_else_is_refused_and_leaves_nothing() {
    let client = client().await;
    let digest = digest_of(b"right");
    client
        .send("POST", &format!("/v2/web/blobs/uploads/?digest={digest}"), &[], b"wrong")
        .await
        .refuses(400, "DIGEST_INVALID");
    let at = client.begin("web").await;
    client.send("PUT", &format!("{at}?digest={digest}"), &[], b"wrong").await.refuses(400, "DIGEST_INVALID");
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[], b"wrong").await.expect(202);
    client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await.refuses(400, "DIGEST_INVALID");
    assert_eq!(client.uploads().await, 0);
    client.head(&format!("/v2/web/blobs/{digest}")).await.expect(404);
    client.head(&format!("/v2/web/blobs/{}", digest_of(b"wrong"))).await.expect(404);
    assert!(client.api.ecr.content.uploads().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_ends_with_a_digest() {
    let client = client().await;
    let at = client.begin("web").await;
    for query in ["", "?digest=", "?digest=sha256:x", "?digest=md5:900150983cd24fb0d6963f7d28e17f72", "?other=x"] {
        client.send("PUT", &format!("{at}{query}"), &[], b"").await.refuses(400, "DIGEST_INVALID");
    }
    // It goes on all the same.
    client.send("PUT", &format!("{at}?digest={}", digest_of(b"x")), &[], b"x").await.expect(201);
}

#[tokio::test]
async fn digests_of_sha512_are_as_good() {
    let client = client().await;
    let digest = ContentDigest::of(Algorithm::Sha512, b"layer").to_string();
    client.blob_as("web", &digest, b"layer").await;
    let answer = client.get(&format!("/v2/web/blobs/{digest}")).await;
    assert_eq!((answer.expect(200).body.as_slice(), answer.header("docker-content-digest")), (&b"layer"[..], &*digest));
    client.get(&format!("/v2/web/blobs/{}", digest.replace(':', "%3A"))).await.expect(200);
    // The same bytes by another name are another blob of the repository.
    client.head(&format!("/v2/web/blobs/{}", digest_of(b"layer"))).await.expect(404);
}

#[tokio::test]
async fn a_piece_that_is_out_of_place_changes_nothing() {
    let client = client().await;
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[("content-range", "0-4")], b"12345").await.expect(202);
    for range in ["0-4", "6-10", "4-8"] {
        let answer = client.send("PATCH", &at, &[("content-range", range)], b"67890").await;
        answer.refuses(416, "BLOB_UPLOAD_INVALID");
        assert_eq!((answer.header("range"), answer.location()), ("0-4", at.clone()));
        let put = format!("{at}?digest={}", digest_of(b"1234567890"));
        client.send("PUT", &put, &[("content-range", range)], b"67890").await.refuses(416, "BLOB_UPLOAD_INVALID");
    }
    for range in ["", "x", "9-5", "5", "-5"] {
        let answer = client.send("PATCH", &at, &[("content-range", range)], b"67890").await;
        answer.refuses(400, "BLOB_UPLOAD_INVALID");
    }
    client.send("PATCH", &at, &[("content-range", "5-6")], b"67890").await.refuses(400, "SIZE_INVALID");
    let put = format!("{at}?digest={}", digest_of(b"1234567890"));
    client.send("PUT", &put, &[("content-range", "bytes 5-9/10")], b"67890").await.expect(201);
}

#[tokio::test]
async fn whoever_posts_a_digest_and_nothing_else_is_given_an_upload() {
    let client = client().await;
    let at = client.post(&format!("/v2/web/blobs/uploads/?digest={}", digest_of(b"later"))).await;
    let put = format!("{}?digest={}", at.expect(202).location(), digest_of(b"later"));
    client.send("PUT", &put, &[], b"later").await.expect(201);
}

#[tokio::test]
async fn too_many_uploads_at_a_time_are_refused() {
    let client = client().await;
    for _ in 0..ecr::upload::UPLOADS_MAX {
        client.begin("web").await;
    }
    client.post("/v2/web/blobs/uploads/").await.refuses(429, "TOOMANYREQUESTS");
}

#[tokio::test]
async fn a_blob_is_mounted_where_the_account_wants_it_and_the_caller_may_read_it() {
    let client = client().await;
    client.api.repository("other").await;
    let digest = client.blob("other", b"shared").await;
    let path = format!("/v2/web/blobs/uploads/?mount={digest}&from=other");
    client.post(&path).await.expect(202);
    client.api.ok("PutAccountSetting", json!({"name": "BLOB_MOUNTING", "value": "ENABLED"})).await;
    let pusher = json!({"Effect": "Allow", "Action": "ecr:*", "Resource": arn("web")});
    let pusher = client.user("pusher", &pusher);
    pusher.post(&path).await.expect(202);
    pusher.post(&format!("/v2/web/blobs/uploads/?mount={digest}")).await.expect(202);
    client.head(&format!("/v2/web/blobs/{digest}")).await.expect(404);
    client.post("/v2/web/blobs/uploads/?mount=sha256:x&from=other").await.refuses(400, "DIGEST_INVALID");
    for from in ["gone", "..", "OTHER", ""] {
        let path = format!("/v2/web/blobs/uploads/?mount={digest}&from={from}");
        client.post(&path).await.expect(202);
    }
    client.post(&path).await.expect(201);
    client.head(&format!("/v2/web/blobs/{digest}")).await.expect(200);
}
