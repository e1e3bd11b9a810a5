//! The suite's part "Pull".

use super::{Suite, UNKNOWN};

#[test]
fn head_request_to_nonexistent_blob_should_result_in_404_response() {
    Suite::new().head(&format!("blobs/{UNKNOWN}")).with_status(404);
}

#[test]
fn head_request_to_existing_blob_should_yield_200() {
    let (mut suite, image) = Suite::with_image("one");
    let blob = &image.layers[0];
    let answer = suite.head(&format!("blobs/{}", blob.digest())).with_status(200);
    assert_eq!(answer.header("docker-content-digest"), Some(blob.digest().as_str()));
    assert_eq!(answer.header("content-length"), Some(blob.content.len().to_string().as_str()));
    assert!(answer.body.is_empty());
}

#[test]
fn get_nonexistent_blob_should_result_in_404_response() {
    let refusal = Suite::new().get(&format!("blobs/{UNKNOWN}")).refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (404, "BLOB_UNKNOWN"));
}

#[test]
fn get_request_to_existing_blob_url_should_yield_200() {
    let (mut suite, image) = Suite::with_image("one");
    for blob in image.blobs() {
        let target = format!("/v2/{}/blobs/{}", super::NAME, blob.digest());
        let answer = suite.shop.registry.get_whole(&target);
        assert_eq!(answer.body, blob.content);
    }
}

#[test]
fn a_range_of_a_blob_is_what_is_asked_for() {
    let (mut suite, image) = Suite::with_image("one");
    let blob = &image.layers[0];
    let (size, target) = (blob.content.len(), format!("/v2/{}/blobs/{}", super::NAME, blob.digest()));
    let mut ranged = |range: &str| {
        let mut request = suite.shop.registry.request("GET", &target);
        request.set("range", range);
        suite.shop.registry.send(&request)
    };
    for (range, first, end) in [("bytes=0-9", 0, 10), ("bytes=10-", 10, size), ("bytes=-5", size - 5, size)] {
        let answer = ranged(range).with_status(206);
        assert_eq!(answer.body, blob.content[first..end], "{range}");
        let told = format!("bytes {first}-{}/{size}", end - 1);
        assert_eq!(answer.header("content-range"), Some(told.as_str()), "{range}");
    }
    let beyond = ranged(&format!("bytes={size}-")).with_status(416);
    assert_eq!(beyond.header("content-range"), Some(format!("bytes */{size}").as_str()));
}

#[test]
fn head_request_to_nonexistent_manifest_should_return_404() {
    let mut suite = Suite::new();
    suite.head("manifests/nowhere").with_status(404);
    suite.head(&format!("manifests/{UNKNOWN}")).with_status(404);
}

#[test]
fn head_request_to_manifest_path_digest_should_yield_200_response() {
    let (mut suite, image) = Suite::with_image("one");
    let answer = suite.head(&format!("manifests/{}", image.digest())).with_status(200);
    assert_eq!(answer.header("docker-content-digest"), Some(image.digest().as_str()));
    assert_eq!(answer.header("content-type"), Some(image.manifest.media_type.as_str()));
}

#[test]
fn head_request_to_manifest_path_tag_should_yield_200_response() {
    let (mut suite, image) = Suite::with_image("one");
    let answer = suite.head("manifests/one").with_status(200);
    assert_eq!(answer.header("docker-content-digest"), Some(image.digest().as_str()));
    assert_eq!(answer.header("content-length"), Some(image.manifest.content.len().to_string().as_str()));
}

#[test]
fn get_nonexistent_manifest_should_return_404() {
    let refusal = Suite::new().get("manifests/nowhere").refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (404, "MANIFEST_UNKNOWN"));
}

#[test]
fn get_request_to_manifest_path_digest_should_yield_200_response() {
    let (mut suite, image) = Suite::with_image("one");
    let answer = suite.get(&format!("manifests/{}", image.digest())).with_status(200);
    assert_eq!(answer.body, image.manifest.content);
}

#[test]
fn get_request_to_manifest_path_tag_should_yield_200_response() {
    let (mut suite, image) = Suite::with_image("one");
    let answer = suite.get("manifests/one").with_status(200);
    assert_eq!(answer.body, image.manifest.content);
    assert_eq!(answer.header("content-type"), Some(image.manifest.media_type.as_str()));
}

#[test]
fn response_body_of_400_should_contain_oci_conforming_json_message() {
    let mut suite = Suite::new();
    let target = format!("/v2/{}/manifests/sha256:totallywrong", super::NAME);
    let body = b"blablabla";
    let refusal = suite.shop.registry.with_body("PUT", &target, super::MANIFEST, body).refusal();
    assert_eq!(refusal.status, 400);
    let known = ["BLOB_UNKNOWN", "DIGEST_INVALID", "MANIFEST_INVALID", "NAME_INVALID", "TAG_INVALID"];
    assert!(known.contains(&refusal.code.as_str()), "{refusal:?}");
}
