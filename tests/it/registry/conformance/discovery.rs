//! The suite's part "Content Discovery".

use tests::image::{INDEX, Image};
use tests::registry::list;

use super::{NAME, Suite, UNKNOWN, artifact, digests, empty_config, layer};

/// A suite with tags `a` to `e` on one image, pushed in another order.
fn tagged() -> Suite {
    let (mut suite, image) = Suite::with_image("c");
    for tag in ["e", "a", "d", "b"] {
        suite.shop.registry.put_manifest(NAME, tag, &image.manifest).with_status(201);
    }
    suite
}

#[test]
fn get_request_to_list_tags_should_yield_200_response() {
    let answer = tagged().get("tags/list").with_status(200).json();
    assert_eq!(answer["name"], NAME);
    assert_eq!(list(&answer, "tags"), ["a", "b", "c", "d", "e"]);
}

#[test]
fn get_number_of_tags_should_be_limitable_by_n_query_parameter() {
    let mut suite = tagged();
    let answer = suite.get("tags/list?n=2").with_status(200);
    assert_eq!(list(&answer.json(), "tags"), ["a", "b"]);
    // Each page leads to the next, the last one nowhere.
    let mut seen = vec!["a".to_owned(), "b".to_owned()];
    let mut answer = answer;
    while let Some(link) = answer.header("link").map(str::to_owned) {
        let target = link.strip_prefix('<').and_then(|rest| rest.split_once('>')).unwrap().0.to_owned();
        assert!(link.ends_with("rel=\"next\"") && target.starts_with(&format!("/v2/{NAME}/tags/list?")), "{link}");
        answer = suite.shop.registry.get(&target).with_status(200);
        seen.extend(list(&answer.json(), "tags").into_iter().map(str::to_owned));
    }
    assert_eq!(seen, ["a", "b", "c", "d", "e"]);
    assert_eq!(list(&suite.get("tags/list?n=0").with_status(200).json(), "tags"), [""; 0]);
}

#[test]
fn get_start_of_tag_is_set_by_last_query_parameter() {
    let mut suite = tagged();
    let answer = suite.get("tags/list?n=2&last=b").with_status(200).json();
    assert_eq!(list(&answer, "tags"), ["c", "d"]);
    let answer = suite.get("tags/list?last=bb").with_status(200).json();
    assert_eq!(list(&answer, "tags"), ["c", "d", "e"], "what is not there marks a place, too");
}

#[test]
fn get_request_to_nonexistent_blob_should_result_in_empty_200_response() {
    let answer = Suite::new().get(&format!("referrers/{UNKNOWN}")).with_status(200);
    assert_eq!(answer.header("content-type"), Some(INDEX));
    assert!(digests(&answer.json()).is_empty());
}

/// A suite with an image, and two artifacts of different types about it.
fn referred() -> (Suite, Image, Vec<String>) {
    let (mut suite, image) = Suite::with_image("subject");
    let (config, layer) = (empty_config(), layer("about"));
    suite.shop.registry.upload(NAME, &config.content);
    suite.shop.registry.upload(NAME, &layer.content);
    let mut names = Vec::new();
    for kind in ["application/vnd.example.first", "application/vnd.example.second"] {
        let manifest = artifact(&image.manifest, kind, &config, &layer);
        let answer = suite.shop.registry.put_manifest(NAME, &manifest.digest(), &manifest).with_status(201);
        assert_eq!(answer.header("oci-subject"), Some(image.digest().as_str()));
        names.push(manifest.digest());
    }
    (suite, image, names)
}

#[test]
fn get_request_to_existing_blob_should_yield_200() {
    let (mut suite, image, mut names) = referred();
    let answer = suite.get(&format!("referrers/{}", image.digest())).with_status(200);
    assert_eq!(answer.header("content-type"), Some(INDEX));
    let index = answer.json();
    let mut found = digests(&index);
    found.sort();
    names.sort();
    assert_eq!(found, names);
    for entry in index["manifests"].as_array().unwrap() {
        assert_eq!(entry["annotations"]["test"], "yes", "{entry}");
        assert!(entry["size"].as_u64().unwrap() > 0);
    }
}

#[test]
fn get_request_to_existing_blob_with_filter_should_yield_200() {
    let (mut suite, image, names) = referred();
    let target = format!("referrers/{}?artifactType=application/vnd.example.second", image.digest());
    let answer = suite.get(&target).with_status(200);
    assert_eq!(digests(&answer.json()), names[1..]);
    assert_eq!(answer.header("oci-filters-applied"), Some("artifactType"));
}

#[test]
fn get_request_to_missing_manifest_should_yield_200() {
    let mut suite = Suite::new();
    let (config, layer, subject) = (empty_config(), layer("about"), Image::small("never pushed"));
    suite.shop.registry.upload(NAME, &config.content);
    suite.shop.registry.upload(NAME, &layer.content);
    let manifest = artifact(&subject.manifest, "application/vnd.example.early", &config, &layer);
    let answer = suite.shop.registry.put_manifest(NAME, &manifest.digest(), &manifest).with_status(201);
    assert_eq!(answer.header("oci-subject"), Some(subject.digest().as_str()));
    let answer = suite.get(&format!("referrers/{}", subject.digest())).with_status(200);
    assert_eq!(digests(&answer.json()), [manifest.digest()]);
}
