//! The parts of the API, with blobs that are named by SHA-256 and by SHA-512.

use ecr::digest::{Algorithm, ContentDigest};

use super::*;

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];
/// How long the pieces of blobs that are sent in pieces are.
const CHUNK: usize = 1024;

/// How a blob is sent.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    PostOnly,
    PostPut,
    Stream,
    Chunked { puts_last: bool, is_out_of_order: bool },
}

/// Some bytes that no other case has.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251) as u8).collect()
}

/// Sends a blob. A wrong one has to be refused when it ends.
async fn push(client: &client::Client, way: Way, digest: &str, bytes: &[u8], is_right: bool) {
    let last = match way {
        Way::PostOnly => {
            let path = format!("/v2/{NAME}/blobs/uploads/?digest={digest}");
            client.send("POST", &path, &[], bytes).await
        }
        Way::PostPut => {
            let at = client.begin(NAME).await;
            client.send("PUT", &format!("{at}?digest={digest}"), &[], bytes).await
        }
        Way::Stream => {
            let at = client.begin(NAME).await;
            let at = client.send("PATCH", &at, &[], bytes).await.expect(202).location();
            client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await
        }
        Way::Chunked { puts_last, is_out_of_order } => chunked(client, digest, bytes, puts_last, is_out_of_order).await,
    };
    if is_right {
        assert_eq!(last.expect(201).location(), blob_path(digest));
        assert_eq!(last.header("docker-content-digest"), digest);
    } else {
        last.refuses(400, "DIGEST_INVALID");
        client.head(&blob_path(digest)).await.expect(404);
    }
}

async fn chunked(
    client: &client::Client,
    digest: &str,
    bytes: &[u8],
    puts_last: bool,
    is_out_of_order: bool,
) -> client::Answer {
    let mut at = client.begin(NAME).await;
    let mut sent = 0;
    while sent < bytes.len() {
        if is_out_of_order {
            at = out_of_order(client, &at, digest, bytes, sent, puts_last).await;
        }
        let end = (sent + CHUNK).min(bytes.len());
        let range = format!("{sent}-{}", end - 1);
        let headers = [("content-range", range.as_str())];
        if puts_last && end == bytes.len() {
            return client.send("PUT", &format!("{at}?digest={digest}"), &headers, &bytes[sent..end]).await;
        }
        at = client.send("PATCH", &at, &headers, &bytes[sent..end]).await.expect(202).location();
        sent = end;
    }
    client.send("PUT", &format!("{at}?digest={digest}"), &[], b"").await
}

/// Sends a piece that does not come next, and finds out where to go on.
async fn out_of_order(
    client: &client::Client,
    at: &str,
    digest: &str,
    bytes: &[u8],
    sent: usize,
    puts_last: bool,
) -> String {
    let start = if sent + CHUNK < bytes.len() { sent + CHUNK } else { 0 };
    let end = (start + CHUNK).min(bytes.len());
    let range = format!("{start}-{}", end - 1);
    let headers = [("content-range", range.as_str())];
    let answer = if puts_last && end == bytes.len() {
        client.send("PUT", &format!("{at}?digest={digest}"), &headers, &bytes[start..end]).await
    } else {
        client.send("PATCH", at, &headers, &bytes[start..end]).await
    };
    answer.expect(416);
    let answer = client.get(at).await;
    assert_eq!(answer.expect(204).header("range"), format!("0-{}", sent.saturating_sub(1)));
    answer.location()
}

/// Pushes a blob in one way with each algorithm, asks for it, pulls it and deletes it.
async fn case(way: Way, length: usize) {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let bytes = bytes(length);
        let digest = ContentDigest::of(algorithm, &bytes).to_string();
        push(&client, way, &digest, &bytes, true).await;
        exists_and_goes(&client, &digest, &bytes).await;
    }
}

async fn exists_and_goes(client: &client::Client, digest: &str, bytes: &[u8]) {
    let answer = client.head(&blob_path(digest)).await;
    assert_eq!(answer.expect(200).header("content-length"), bytes.len().to_string());
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_eq!(client.get(&blob_path(digest)).await.expect(200).body, bytes);
    client.delete(&blob_path(digest)).await.expect(202);
    client.head(&blob_path(digest)).await.expect(404);
}

/// Sends a blob that is not what its digest says.
async fn bad_digest(way: Way) {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let mut bytes = bytes(CHUNK * 3 - 5);
        let digest = ContentDigest::of(algorithm, &bytes).to_string();
        bytes.extend_from_slice(b"oh no");
        push(&client, way, &digest, &bytes, false).await;
    }
}

const CHUNKED: Way = Way::Chunked { puts_last: false, is_out_of_order: false };
const CHUNKED_AND_PUT: Way = Way::Chunked { puts_last: true, is_out_of_order: false };

#[tokio::test]
async fn ping() {
    let answer = client().await.get("/v2/").await;
    answer.expect(200);
    client().await.get("/v2").await.expect(200);
}

#[tokio::test]
async fn empty_tag_list() {
    assert_eq!(client().await.get(&tags_path()).await.expect(200).json(), json!({"name": NAME, "tags": []}));
}

#[tokio::test]
async fn empty_referrers() {
    let index = client().await.get(&referrers_path(&dummy_digest())).await;
    assert_eq!(index.expect(200).json()["manifests"], json!([]));
}

#[tokio::test]
async fn blobs_get_missing() {
    let client = client().await;
    for algorithm in ALGORITHMS {
        client.get(&blob_path(ContentDigest::of(algorithm, b"missing").as_str())).await.expect(404);
    }
}

#[tokio::test]
async fn blobs_post_only() {
    case(Way::PostOnly, 512).await;
}

#[tokio::test]
async fn blobs_post_put() {
    case(Way::PostPut, 512).await;
}

#[tokio::test]
async fn blobs_chunked_single() {
    case(CHUNKED, 512).await;
}

#[tokio::test]
async fn blobs_stream() {
    case(Way::Stream, 512).await;
}

#[tokio::test]
async fn blobs_mount() {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let digest = ContentDigest::of(algorithm, b"shared").to_string();
        client.blob_as(OTHER_NAME, &digest, b"shared").await;
        let path = format!("/v2/{NAME}/blobs/uploads/?mount={digest}&from={OTHER_NAME}");
        let answer = client.post(&path).await;
        assert_eq!(answer.expect(201).location(), blob_path(&digest));
        assert_eq!(answer.header("docker-content-digest"), digest);
        exists_and_goes(&client, &digest, b"shared").await;
    }
}

#[tokio::test]
async fn blobs_mount_anonymous() {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let digest = ContentDigest::of(algorithm, b"shared").to_string();
        client.blob_as(OTHER_NAME, &digest, b"shared").await;
        let answer = client.post(&format!("/v2/{NAME}/blobs/uploads/?mount={digest}")).await;
        assert_eq!(answer.expect(201).location(), blob_path(&digest));
        exists_and_goes(&client, &digest, b"shared").await;
    }
}

#[tokio::test]
async fn blobs_mount_missing() {
    let client = client().await;
    let digest = digest_of(b"missing");
    let path = format!("/v2/{NAME}/blobs/uploads/?mount={digest}&from={OTHER_NAME}");
    let at = client.post(&path).await.expect(202).location();
    client.send("PUT", &format!("{at}?digest={digest}"), &[], b"missing").await.expect(201);
    exists_and_goes(&client, &digest, b"missing").await;
}

#[tokio::test]
async fn blobs_post_cancel() {
    let client = client().await;
    let at = client.begin(NAME).await;
    client.delete(&at).await.expect(204);
    client.get(&at).await.expect(404);
}

#[tokio::test]
async fn blobs_chunked_multi() {
    case(CHUNKED, CHUNK * 3 - 5).await;
}

#[tokio::test]
async fn blobs_chunked_multi_and_put_chunk() {
    case(CHUNKED_AND_PUT, CHUNK * 3 - 5).await;
}

#[tokio::test]
async fn blobs_chunked_out_of_order() {
    case(Way::Chunked { puts_last: false, is_out_of_order: true }, CHUNK * 3 - 5).await;
}

#[tokio::test]
async fn blobs_chunked_out_of_order_and_put_chunk() {
    case(Way::Chunked { puts_last: true, is_out_of_order: true }, CHUNK * 3 - 5).await;
}

/// Asks for a part of a blob of 2048 bytes, of which there is this part or none.
async fn range_request(range: &str, part: Option<std::ops::Range<usize>>) {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let bytes = bytes(2048);
        let digest = ContentDigest::of(algorithm, &bytes).to_string();
        push(&client, Way::PostPut, &digest, &bytes, true).await;
        let range = format!("bytes={range}");
        let answer = client.send("GET", &blob_path(&digest), &[("range", &range)], b"").await;
        match &part {
            Some(part) => {
                assert_eq!(answer.expect(206).body, &bytes[part.clone()]);
                let said = format!("bytes {}-{}/2048", part.start, part.end - 1);
                assert_eq!(answer.header("content-range"), said);
            }
            None => {
                answer.expect(416);
            }
        }
        client.delete(&blob_path(&digest)).await.expect(202);
    }
}

#[tokio::test]
async fn range_requests_500_to_1499() {
    range_request("500-1499", Some(500..1500)).await;
}

#[tokio::test]
async fn range_requests_500_to_the_end() {
    range_request("500-", Some(500..2048)).await;
}

#[tokio::test]
async fn range_requests_the_last_500() {
    range_request("-500", Some(1548..2048)).await;
}

#[tokio::test]
async fn range_requests_2000_to_5000() {
    range_request("2000-5000", Some(2000..2048)).await;
}

#[tokio::test]
async fn range_requests_500_to_0() {
    range_request("500-0", None).await;
}

#[tokio::test]
async fn range_requests_5000_to_10000() {
    range_request("5000-10000", None).await;
}

#[tokio::test]
async fn blobs_empty() {
    for way in [Way::PostPut, Way::PostOnly, Way::Stream] {
        case(way, 0).await;
    }
}

#[tokio::test]
async fn blobs_empty_json() {
    let client = client().await;
    for algorithm in ALGORITHMS {
        let digest = ContentDigest::of(algorithm, b"{}").to_string();
        push(&client, Way::PostPut, &digest, b"{}", true).await;
        exists_and_goes(&client, &digest, b"{}").await;
    }
}

#[tokio::test]
async fn bad_digest_post_only() {
    bad_digest(Way::PostOnly).await;
}

#[tokio::test]
async fn bad_digest_post_put() {
    bad_digest(Way::PostPut).await;
}

#[tokio::test]
async fn bad_digest_chunked() {
    bad_digest(CHUNKED).await;
}

#[tokio::test]
async fn bad_digest_chunked_and_put_chunk() {
    bad_digest(CHUNKED_AND_PUT).await;
}

#[tokio::test]
async fn bad_digest_stream() {
    bad_digest(Way::Stream).await;
}

#[tokio::test]
async fn missing_manifest_by_digest() {
    client().await.get(&manifest_path(&dummy_digest())).await.refuses(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn missing_manifest_by_tag() {
    client().await.get(&manifest_path("missing-x")).await.refuses(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn invalid_digest_format_manifest_put() {
    let client = client().await;
    let manifest = client.image(NAME, "v1", "one").await;
    client.manifest(NAME, "sha256:baddigeststring", &manifest).await.refuses(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn invalid_digest_format_manifest_get() {
    client().await.get(&manifest_path("sha256:baddigeststring")).await.refuses(400, "DIGEST_INVALID");
}
