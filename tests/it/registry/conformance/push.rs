//! The suite's part "Push".

use serde_json::json;
use sha2::{Digest as _, Sha512};
use tests::image::{Blob, Image, MANIFEST, digest};

use super::{NAME, OTHER, Suite, UNKNOWN, empty_config, layer};

/// The least that a chunk may have where a registry says so; ours takes any.
const CHUNK: usize = 1000;
const BYTES: &str = "application/octet-stream";

fn uploads(name: &str) -> String {
    format!("/v2/{name}/blobs/uploads/")
}

#[test]
fn patch_request_with_blob_in_body_should_yield_202_response() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    // Streamed: nothing says where the piece lies.
    registry.with_body("PATCH", &location, BYTES, b"streamed").with_status(202);
}

#[test]
fn put_request_to_session_url_with_digest_should_yield_201_response() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    let location = registry.with_body("PATCH", &location, BYTES, b"streamed").with_status(202).location();
    let name = digest(b"streamed");
    let answer = registry.end(&location, &name, b"").with_status(201);
    assert_eq!(answer.location(), format!("/v2/{NAME}/blobs/{name}"));
    assert_eq!(registry.blob(NAME, &name), b"streamed");
}

#[test]
fn post_request_with_digest_and_blob_should_yield_a_201_or_202() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let name = digest(b"at once");
    let answer = registry.with_body("POST", &format!("{}?digest={name}", uploads(NAME)), BYTES, b"at once");
    assert_eq!(answer.with_status(201).location(), format!("/v2/{NAME}/blobs/{name}"));
}

#[test]
fn get_request_to_blob_url_from_prior_request_should_yield_200_or_404_based_on_response_code() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let name = digest(b"at once");
    registry.with_body("POST", &format!("{}?digest={name}", uploads(NAME)), BYTES, b"at once").with_status(201);
    assert_eq!(registry.blob(NAME, &name), b"at once");
}

#[test]
fn post_request_should_yield_a_session_id() {
    let mut suite = Suite::new();
    let answer = suite.shop.registry.with_body("POST", &uploads(NAME), BYTES, &[]).with_status(202);
    assert!(answer.location().starts_with(&uploads(NAME)), "{:?}", answer.headers);
    assert!(answer.header("docker-upload-uuid").is_some_and(|id| !id.is_empty()));
}

#[test]
fn put_upload_of_a_blob_should_yield_a_201_response() {
    let mut suite = Suite::new();
    let name = suite.shop.registry.upload(NAME, b"in one piece");
    suite.head(&format!("blobs/{name}")).with_status(200);
}

#[test]
fn get_request_to_existing_layer_should_yield_200() {
    let mut suite = Suite::new();
    let layer = layer("one");
    let name = suite.shop.registry.upload(NAME, &layer.content);
    assert_eq!(suite.shop.registry.blob(NAME, &name), layer.content);
}

#[test]
fn put_upload_with_another_digest_is_refused_and_leaves_nothing() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    let refusal = registry.end(&location, UNKNOWN, b"something else").refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "DIGEST_INVALID"));
    suite.head(&format!("blobs/{UNKNOWN}")).with_status(404);
    suite.head(&format!("blobs/{}", digest(b"something else"))).with_status(404);
}

#[test]
fn a_digest_of_sha512_is_as_good() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let name = format!("sha512:{}", hex::encode(Sha512::digest(b"long name")));
    let location = registry.begin(NAME);
    registry.end(&location, &name, b"long name").with_status(201);
    assert_eq!(registry.blob(NAME, &name), b"long name");
}

#[test]
fn out_of_order_blob_upload_should_return_416() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    registry.piece(&location, CHUNK, &[1; CHUNK]).with_status(416);
}

#[test]
fn patch_request_with_first_chunk_should_return_202() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    let answer = registry.piece(&location, 0, &[1; CHUNK]).with_status(202);
    assert_eq!(answer.header("range"), Some("0-999"));
    assert!(answer.header("location").is_some());
}

#[test]
fn retry_previous_blob_chunk_should_return_416() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    registry.piece(&location, 0, &[1; CHUNK]).with_status(202);
    registry.piece(&location, 0, &[1; CHUNK]).with_status(416);
}

#[test]
fn get_on_stale_blob_upload_should_return_204_with_a_range_and_location() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    registry.piece(&location, 0, &[1; CHUNK]).with_status(202);
    let answer = registry.get(&location).with_status(204);
    assert_eq!(answer.header("range"), Some("0-999"));
    assert!(answer.location().starts_with(&uploads(NAME)));
}

#[test]
fn patch_request_with_second_chunk_should_return_202_and_put_request_with_digest_should_return_201() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let whole = [[1; CHUNK], [2; CHUNK], [3; CHUNK]].concat();
    let location = registry.begin(NAME);
    let location = registry.piece(&location, 0, &whole[..CHUNK]).with_status(202).location();
    let answer = registry.piece(&location, CHUNK, &whole[CHUNK..2 * CHUNK]).with_status(202);
    assert_eq!(answer.header("range"), Some("0-1999"));
    // The last chunk may come with the end.
    registry.end(&answer.location(), &digest(&whole), &whole[2 * CHUNK..]).with_status(201);
    assert_eq!(registry.blob(NAME, &digest(&whole)), whole);
}

#[test]
fn an_upload_that_is_cancelled_is_gone() {
    let mut suite = Suite::new();
    let registry = &mut suite.shop.registry;
    let location = registry.begin(NAME);
    registry.piece(&location, 0, &[1; CHUNK]).with_status(202);
    registry.delete(&location).with_status(204);
    registry.get(&location).with_status(404);
    assert_eq!(registry.piece(&location, CHUNK, &[1; CHUNK]).refusal().code, "BLOB_UPLOAD_UNKNOWN");
}

#[test]
fn cross_mounting_of_a_blob_without_the_from_argument_should_yield_session_id() {
    let mut suite = Suite::new();
    let target = format!("{}?mount={UNKNOWN}", uploads(OTHER));
    let answer = suite.shop.registry.with_body("POST", &target, BYTES, &[]).with_status(202);
    assert!(answer.location().starts_with(&uploads(OTHER)));
}

#[test]
fn post_request_to_mount_another_repositorys_blob_should_return_201_or_202() {
    let mut suite = Suite::new();
    let name = suite.shop.registry.upload(NAME, b"mounted");
    let target = format!("{}?mount={name}&from={NAME}", uploads(OTHER));
    // As at AWS, mounting is something that an account has to want.
    suite.shop.registry.with_body("POST", &target, BYTES, &[]).with_status(202);
    suite.shop.registry.head(&format!("/v2/{OTHER}/blobs/{name}")).with_status(404);
    suite.shop.api.ecr("PutAccountSetting", &json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }));
    let answer = suite.shop.registry.with_body("POST", &target, BYTES, &[]).with_status(201);
    assert_eq!(answer.location(), format!("/v2/{OTHER}/blobs/{name}"));
}

#[test]
fn get_request_to_test_digest_within_cross_mount_namespace_should_return_200() {
    let mut suite = Suite::new();
    suite.shop.api.ecr("PutAccountSetting", &json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }));
    let name = suite.shop.registry.upload(NAME, b"mounted");
    let target = format!("{}?mount={name}&from={NAME}", uploads(OTHER));
    suite.shop.registry.with_body("POST", &target, BYTES, &[]).with_status(201);
    assert_eq!(suite.shop.registry.blob(OTHER, &name), b"mounted");
}

#[test]
fn cross_mounting_of_nonexistent_blob_should_yield_session_id() {
    let mut suite = Suite::new();
    suite.shop.api.ecr("PutAccountSetting", &json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }));
    let target = format!("{}?mount={UNKNOWN}&from={NAME}", uploads(OTHER));
    let answer = suite.shop.registry.with_body("POST", &target, BYTES, &[]).with_status(202);
    assert!(answer.location().starts_with(&uploads(OTHER)));
}

#[test]
fn put_should_accept_a_manifest_upload() {
    let mut suite = Suite::new();
    let image = Image::small("one");
    for blob in image.blobs() {
        suite.shop.registry.upload(NAME, &blob.content);
    }
    let answer = suite.shop.registry.put_manifest(NAME, "one", &image.manifest).with_status(201);
    assert_eq!(answer.location(), format!("/v2/{NAME}/manifests/{}", image.digest()));
    assert_eq!(answer.header("docker-content-digest"), Some(image.digest().as_str()));
    suite.shop.registry.put_manifest(NAME, &image.digest(), &image.manifest).with_status(201);
}

#[test]
fn registry_should_accept_a_manifest_upload_with_no_layers() {
    let mut suite = Suite::new();
    let image = Image::of_parts(MANIFEST, empty_config(), Vec::new());
    suite.shop.registry.push(NAME, "empty", &image);
    assert!(suite.shop.registry.pull(NAME, "empty") == image);
}

#[test]
fn get_request_to_manifest_url_digest_should_yield_200() {
    let (mut suite, image) = Suite::with_image("one");
    suite.get(&format!("manifests/{}", image.digest())).with_status(200);
}

#[test]
fn a_manifest_whose_blobs_are_not_there_is_refused() {
    let mut suite = Suite::new();
    let refusal = suite.shop.registry.put_manifest(NAME, "one", &Image::small("one").manifest).refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "MANIFEST_BLOB_UNKNOWN"), "{refusal:?}");
}

#[test]
fn a_manifest_with_data_in_its_descriptors_and_layers_that_lie_elsewhere_is_taken() {
    let mut suite = Suite::new();
    let (config, layer) = (empty_config(), layer("one"));
    let mut described = config.descriptor();
    described["data"] = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(&config.content).into()
    };
    let elsewhere = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "digest": UNKNOWN, "size": 10,
        "urls": ["https://layers.example.com/one"],
    });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": [layer.descriptor(), elsewhere],
    });
    let manifest = Blob::json(MANIFEST, &manifest);
    suite.shop.registry.upload(NAME, &config.content);
    suite.shop.registry.upload(NAME, &layer.content);
    suite.shop.registry.put_manifest(NAME, "odd", &manifest).with_status(201);
    assert_eq!(suite.get("manifests/odd").with_status(200).body, manifest.content);
}
