//! What repositories are set to do: tags that stay, images that expire, blobs that are shared, links that lead to layers.

use serde_json::{Value, json};
use tests::image::Image;
use tests::raw::Request;
use tests::{Server, program};

use super::Shop;

#[test]
fn an_immutable_tag_stays_where_it_is_but_for_the_excluded_ones() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &[]);
    let filters = json!([{ "filterType": "WILDCARD", "filter": "latest*" }]);
    let settings = json!({
        "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": filters,
    });
    shop.create("fixed", settings);
    let (first, second) = (Image::small("first"), Image::small("second"));
    for tag in ["1", "latest", "latest-slim"] {
        shop.registry.push("fixed", tag, &first);
    }
    for blob in second.blobs() {
        shop.registry.upload("fixed", &blob.content);
    }
    let refusal = shop.registry.put_manifest("fixed", "1", &second.manifest).refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "TAG_INVALID"), "{refusal:?}");
    assert!(refusal.message.contains("already exists") && refusal.message.contains("immutable"), "{refusal:?}");
    for tag in ["latest", "latest-slim", "2"] {
        shop.registry.put_manifest("fixed", tag, &second.manifest).with_status(201);
        assert!(shop.registry.pull("fixed", tag) == second);
    }
    assert!(shop.registry.pull("fixed", "1") == first);
    let text = String::from_utf8(second.manifest.content.clone()).unwrap();
    let input = json!({ "repositoryName": "fixed", "imageManifest": text, "imageTag": "1" });
    assert_eq!(shop.api.ecr_refused("PutImage", &input).code, "ImageTagAlreadyExistsException");
    // Mutable again, the tag moves.
    shop.api.ecr("PutImageTagMutability", &json!({ "repositoryName": "fixed", "imageTagMutability": "MUTABLE" }));
    shop.registry.put_manifest("fixed", "1", &second.manifest).with_status(201);
    assert!(shop.registry.pull("fixed", "1") == second);
}

#[test]
fn a_lifecycle_policy_is_previewed_then_executed_and_does_as_it_was_previewed() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["young"]);
    let images: Vec<Image> = (0..5).map(|number| Image::small(&format!("build {number}"))).collect();
    for (number, image) in images.iter().enumerate() {
        shop.registry.push("young", &format!("build-{number}"), image);
    }
    shop.registry.put_manifest("young", "release", &images[0].manifest).with_status(201);
    let policy = json!({ "rules": [
        {
            "rulePriority": 1, "description": "releases stay", "action": { "type": "expire" },
            "selection": {
                "tagStatus": "tagged", "tagPrefixList": ["release"], "countType": "imageCountMoreThan", "countNumber": 100,
            },
        },
        {
            "rulePriority": 2, "description": "two builds", "action": { "type": "expire" },
            "selection": {
                "tagStatus": "tagged", "tagPatternList": ["build-*"], "countType": "imageCountMoreThan", "countNumber": 2,
            },
        },
    ] });
    let policy = policy.to_string();
    shop.api.ecr("StartLifecyclePolicyPreview", &json!({ "repositoryName": "young", "lifecyclePolicyText": policy }));
    let preview = program::until(program::LIMIT, || {
        let preview = shop.api.ecr("GetLifecyclePolicyPreview", &json!({ "repositoryName": "young" }));
        (preview["status"] != "IN_PROGRESS").then_some(preview)
    });
    let preview = preview.expect("a preview ends");
    assert_eq!(preview["status"], "COMPLETE", "{preview}");
    let results = preview["previewResults"].as_array().unwrap();
    let mut expiring: Vec<String> = results.iter().map(|image| image["imageDigest"].as_str().unwrap().into()).collect();
    expiring.sort();
    let mut due = vec![images[1].digest(), images[2].digest()];
    due.sort();
    assert_eq!(expiring, due, "{preview}");
    assert_eq!(preview["summary"]["expiringImageTotalCount"], 2);
    assert_eq!(shop.tags("young").len(), 6, "a preview changes nothing");

    shop.api.ecr("PutLifecyclePolicy", &json!({ "repositoryName": "young", "lifecyclePolicyText": policy }));
    let left = program::until(program::LIMIT, || {
        let tags = shop.tags("young");
        (tags == ["build-0", "build-3", "build-4", "release"]).then_some(())
    });
    assert!(left.is_some(), "{:?}", shop.tags("young"));
    for image in &images[1..3] {
        shop.registry.get(&format!("/v2/young/manifests/{}", image.digest())).with_status(404);
    }
    assert!(shop.registry.pull("young", "release") == images[0]);
}

#[test]
fn a_blob_is_mounted_only_from_where_the_caller_may_read_it() {
    let server = Server::shared();
    let (mut owner, mut other) = (Shop::open(&server, &["from", "to"]), Shop::open(&server, &["from", "to"]));
    for shop in [&mut owner, &mut other] {
        shop.api.ecr("PutAccountSetting", &json!({ "name": "BLOB_MOUNTING", "value": "ENABLED" }));
    }
    let digest = owner.registry.upload("from", b"not for everybody");
    let target = format!("/v2/to/blobs/uploads/?mount={digest}&from=from");
    // Whoever knows a name has not got the content: a repository of the same name is another's here.
    other.registry.with_body("POST", &target, "application/octet-stream", &[]).with_status(202);
    other.registry.head(&format!("/v2/to/blobs/{digest}")).with_status(404);
    owner.registry.with_body("POST", &target, "application/octet-stream", &[]).with_status(201);
    assert_eq!(owner.registry.blob("to", &digest), b"not for everybody");
    // What was mounted stays, whatever becomes of where it came from.
    owner.api.ecr("DeleteRepository", &json!({ "repositoryName": "from", "force": true }));
    assert_eq!(owner.registry.blob("to", &digest), b"not for everybody");
}

#[test]
fn a_download_url_leads_to_the_layer_without_a_token_and_nowhere_else() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["linked"]);
    let image = Image::small("linked");
    shop.registry.push("linked", "1", &image);
    let (layer, config) = (image.layers[0].digest(), image.config.digest());
    let url = |shop: &mut Shop, digest: &str| -> String {
        let answer =
            shop.api.ecr("GetDownloadUrlForLayer", &json!({ "repositoryName": "linked", "layerDigest": digest }));
        assert_eq!(answer["layerDigest"], digest);
        answer["downloadUrl"].as_str().unwrap().to_owned()
    };
    let (url, other) = (url(&mut shop, &layer), url(&mut shop, &config));
    let host = server.address().to_string();
    let target = url.strip_prefix(&format!("http://{host}")).unwrap_or_else(|| panic!("{url}")).to_owned();
    let answer = shop.registry.send(&Request::get(&host, &target)).with_status(200);
    assert_eq!(answer.body, image.layers[0].content);
    // No part of it can be changed, and two of them make no third.
    let middle = target.len() * 2 / 3;
    let flipped = |text: &str| if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
    let spoilt = format!("{}{}{}", &target[..middle], flipped(&target), &target[middle + 1..]);
    let other = other.strip_prefix(&format!("http://{host}")).unwrap().to_owned();
    let mixed = format!("{}{}", &target[..middle], &other[middle.min(other.len())..]);
    for wrong in [spoilt, mixed, target[..middle].to_owned()] {
        let answer = shop.registry.send(&Request::get(&host, &wrong));
        assert!([400, 403, 404].contains(&answer.status), "{wrong}: {} {}", answer.status, answer.text());
        assert_ne!(answer.body, image.layers[0].content);
    }
}

#[test]
fn the_api_and_the_registry_tell_the_same_of_one_image() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["both"]);
    let image = Image::small("both ways");
    // In by the registry, out by the API.
    shop.registry.push("both", "pushed", &image);
    let got =
        shop.api.ecr("BatchGetImage", &json!({ "repositoryName": "both", "imageIds": [{ "imageTag": "pushed" }] }));
    assert_eq!(got["images"][0]["imageManifest"].as_str().map(str::as_bytes), Some(image.manifest.content.as_slice()));
    let digests: Vec<Value> = image.blobs().map(|blob| blob.digest().into()).collect();
    let input = json!({ "repositoryName": "both", "layerDigests": digests });
    let available = shop.api.ecr("BatchCheckLayerAvailability", &input);
    assert!(available["layers"].as_array().unwrap().iter().all(|layer| layer["layerAvailability"] == "AVAILABLE"));
    // In by the API, out by the registry.
    let text = String::from_utf8(image.manifest.content.clone()).unwrap();
    shop.api.ecr("PutImage", &json!({ "repositoryName": "both", "imageManifest": text, "imageTag": "put" }));
    assert!(shop.registry.pull("both", "put") == image);
    shop.api.ecr("BatchDeleteImage", &json!({ "repositoryName": "both", "imageIds": [{ "imageTag": "put" }] }));
    shop.registry.get("/v2/both/manifests/put").with_status(404);
    // A pull is noted.
    let described = program::until(program::LIMIT, || {
        let described = shop.api.ecr("DescribeImages", &json!({ "repositoryName": "both" }));
        described["imageDetails"][0].get("lastRecordedPullTime").is_some().then_some(())
    });
    assert!(described.is_some(), "no pull is recorded");
}
