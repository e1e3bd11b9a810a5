//! The suite's part "Content Management".

use tests::registry::list;

use super::{NAME, Suite};

#[test]
fn delete_request_to_manifest_tag_should_return_202() {
    let (mut suite, image) = Suite::with_image("one");
    suite.shop.registry.put_manifest(NAME, "two", &image.manifest).with_status(201);
    suite.delete("manifests/one").with_status(202);
    suite.get("manifests/one").with_status(404);
    suite.get("manifests/two").with_status(200);
}

#[test]
fn delete_request_to_manifest_digest_should_yield_202_response() {
    let (mut suite, image) = Suite::with_image("one");
    suite.delete(&format!("manifests/{}", image.digest())).with_status(202);
    suite.delete(&format!("manifests/{}", image.digest())).with_status(404);
}

#[test]
fn get_request_to_deleted_manifest_url_should_yield_404_response() {
    let (mut suite, image) = Suite::with_image("one");
    suite.delete(&format!("manifests/{}", image.digest())).with_status(202);
    suite.get(&format!("manifests/{}", image.digest())).with_status(404);
    suite.get("manifests/one").with_status(404);
}

#[test]
fn get_request_to_tags_list_should_reflect_manifest_deletion() {
    let (mut suite, image) = Suite::with_image("one");
    suite.shop.registry.push(NAME, "two", &tests::image::Image::small("another"));
    suite.delete(&format!("manifests/{}", image.digest())).with_status(202);
    assert_eq!(list(&suite.get("tags/list").with_status(200).json(), "tags"), ["two"]);
}

#[test]
fn delete_request_to_blob_url_should_yield_202_response() {
    let mut suite = Suite::new();
    let name = suite.shop.registry.upload(NAME, b"for nothing");
    suite.delete(&format!("blobs/{name}")).with_status(202);
}

#[test]
fn get_request_to_deleted_blob_url_should_yield_404_response() {
    let mut suite = Suite::new();
    let name = suite.shop.registry.upload(NAME, b"for nothing");
    suite.delete(&format!("blobs/{name}")).with_status(202);
    suite.get(&format!("blobs/{name}")).with_status(404);
    suite.head(&format!("blobs/{name}")).with_status(404);
}

#[test]
fn a_blob_that_an_image_needs_is_not_deleted() {
    let (mut suite, image) = Suite::with_image("one");
    let answer = suite.delete(&format!("blobs/{}", image.layers[0].digest()));
    assert_eq!(answer.refusal().code, "UNSUPPORTED");
    assert!(suite.shop.registry.pull(NAME, "one") == image);
}
