use super::*;

#[tokio::test]
async fn an_image_is_pushed_listed_described_pulled_and_deleted() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["latest"], "one").await;
    let listed = caller.ok("ListImages", json!({"repositoryName": "web"})).await;
    let id = json!({"imageDigest": image.digest, "imageTag": "latest"});
    assert_eq!(listed, json!({"imageIds": [id]}));
    let described = caller.ok("DescribeImages", json!({"repositoryName": "web"})).await["imageDetails"].clone();
    assert_eq!(
        described,
        json!([{
            "registryId": ACCOUNT,
            "repositoryName": "web",
            "imageDigest": image.digest,
            "imageTags": ["latest"],
            "imageSizeInBytes": image.size,
            "imagePushedAt": START / 1000,
            "imageManifestMediaType": OCI_MANIFEST,
            "artifactMediaType": "application/vnd.oci.image.config.v1+json",
            "imageStatus": "ACTIVE",
        }])
    );
    let by_tag = json!({"repositoryName": "web", "imageIds": [{"imageTag": "latest"}]});
    let pulled = caller.ok("BatchGetImage", by_tag.clone()).await;
    assert_eq!(pulled["images"][0]["imageManifest"], image.manifest);
    assert_eq!(pulled["images"][0]["imageId"], id);
    let described = caller.ok("DescribeImages", by_tag.clone()).await["imageDetails"][0].clone();
    assert_eq!(described["lastRecordedPullTime"], START / 1000);
    assert_eq!(caller.ok("BatchDeleteImage", by_tag).await, json!({"imageIds": [id], "failures": []}));
    assert_eq!(caller.ok("ListImages", json!({"repositoryName": "web"})).await, json!({"imageIds": []}));
}

#[tokio::test]
async fn an_image_needs_its_layers_in_its_repository() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.repository("other").await;
    let layer = caller.layer("other", b"layer").await;
    let config = caller.layer("web", b"{}").await;
    let manifest = manifest_of(&config, &[&layer]);
    let refused = caller.refused("PutImage", json!({"repositoryName": "web", "imageManifest": manifest})).await;
    let message = format!(
        "Layers with digests '[{}]' required for pushing image into repository with name 'web' in the registry with id \
         '{ACCOUNT}' do not exist",
        layer.digest
    );
    assert_eq!(refused, refusal("LayersNotFoundException", &message));
}

#[tokio::test]
async fn a_manifest_is_checked_before_anything_is_stored() {
    let caller = Caller::new();
    caller.repository("web").await;
    let config = caller.layer("web", b"{}").await;
    let manifest = manifest_of(&config, &[]);
    let other = digest_of(b"something else");
    let put = |extra: Value| {
        let mut input = json!({"repositoryName": "web", "imageManifest": manifest});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    for (extra, code) in [
        (json!({"imageDigest": other}), "ImageDigestDoesNotMatchException"),
        (json!({"imageDigest": "sha256:x"}), "InvalidParameterException"),
        (json!({"imageTag": "a/b"}), "InvalidParameterException"),
        (json!({"imageManifestMediaType": "text/plain"}), "InvalidParameterException"),
        (json!({"imageManifest": "{}"}), "InvalidParameterException"),
        (json!({"repositoryName": "gone"}), "RepositoryNotFoundException"),
    ] {
        assert_eq!(caller.refused("PutImage", put(extra.clone())).await.0, code, "{extra}");
    }
    assert_eq!(caller.ok("ListImages", json!({"repositoryName": "web"})).await, json!({"imageIds": []}));
}

#[tokio::test]
async fn pushing_the_same_again_is_told() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["v1"], "one").await;
    let put = |tag: Value| json!({"repositoryName": "web", "imageManifest": image.manifest, "imageTag": tag});
    let message = format!(
        "Image with digest '{}' and tag 'v1' already exists in the repository with name 'web' in registry with id \
         '{ACCOUNT}'",
        image.digest
    );
    let refused = caller.refused("PutImage", put(json!("v1"))).await;
    assert_eq!(refused, refusal("ImageAlreadyExistsException", &message));
    assert_eq!(caller.refused("PutImage", put(Value::Null)).await.0, "ImageAlreadyExistsException");
    caller.ok("PutImage", put(json!("v2"))).await;
    let described = caller.ok("DescribeImages", json!({"repositoryName": "web"})).await;
    assert_eq!(described["imageDetails"][0]["imageTags"], json!(["v1", "v2"]));
}

#[tokio::test]
async fn a_tag_moves_to_the_image_that_was_pushed_last() {
    let caller = Caller::new();
    caller.repository("web").await;
    let one = caller.image("web", &["latest", "v1"], "one").await;
    let two = caller.image("web", &["latest"], "two").await;
    let tags = |image: &Pushed| {
        let input = json!({"repositoryName": "web", "imageIds": [{"imageDigest": image.digest}]});
        let caller = caller.clone();
        async move { caller.ok("DescribeImages", input).await["imageDetails"][0]["imageTags"].clone() }
    };
    assert_eq!(tags(&one).await, json!(["v1"]));
    assert_eq!(tags(&two).await, json!(["latest"]));
    let untagged = json!({"repositoryName": "web", "filter": {"tagStatus": "UNTAGGED"}});
    assert_eq!(caller.ok("ListImages", untagged.clone()).await, json!({"imageIds": []}));
    caller.image("web", &["v1"], "three").await;
    let left = json!({"imageIds": [{"imageDigest": one.digest}]});
    assert_eq!(caller.ok("ListImages", untagged).await, left);
}

#[tokio::test]
async fn an_immutable_tag_stays_where_it_is_unless_it_is_an_exception() {
    let caller = Caller::new();
    caller.repository("web").await;
    let mutability = json!({
        "repositoryName": "web", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "dev-*"}],
    });
    caller.ok("PutImageTagMutability", mutability).await;
    caller.image("web", &["v1", "dev-1"], "one").await;
    let two = caller.image("web", &["dev-1"], "two").await;
    let put = json!({"repositoryName": "web", "imageManifest": two.manifest, "imageTag": "v1"});
    let message = "The image tag 'v1' already exists in the 'web' repository and cannot be overwritten because the tag \
                   is immutable.";
    assert_eq!(caller.refused("PutImage", put).await, refusal("ImageTagAlreadyExistsException", message));
}

#[tokio::test]
async fn an_index_keeps_its_images() {
    let caller = Caller::new();
    caller.repository("web").await;
    let child = caller.image("web", &["arm"], "one").await;
    let missing = index_of(&[(&digest_of(b"gone"), 4)]);
    let refused = caller.refused("PutImage", json!({"repositoryName": "web", "imageManifest": missing})).await;
    assert_eq!(refused.0, "ReferencedImagesNotFoundException");
    let index = index_of(&[(&child.digest, child.manifest.len())]);
    let put = json!({"repositoryName": "web", "imageManifest": index, "imageTag": "all"});
    let digest = caller.ok("PutImage", put).await["image"]["imageId"]["imageDigest"].clone();
    let described = json!({"repositoryName": "web", "imageIds": [{"imageTag": "all"}]});
    let detail = caller.ok("DescribeImages", described).await["imageDetails"][0].clone();
    assert_eq!(
        (&detail["imageSizeInBytes"], &detail["imageManifestMediaType"]),
        (&json!(child.size), &json!(OCI_INDEX))
    );
    for id in [json!({"imageDigest": child.digest}), json!({"imageTag": "arm"})] {
        let deleted = caller.ok("BatchDeleteImage", json!({"repositoryName": "web", "imageIds": [id]})).await;
        let failure = json!({
            "imageId": id,
            "failureCode": "ImageReferencedByManifestList",
            "failureReason": format!("Requested image referenced by manifest list: [{}]", digest.as_str().unwrap()),
        });
        assert_eq!(deleted, json!({"imageIds": [], "failures": [failure]}));
    }
    let both = json!([{"imageDigest": digest}, {"imageDigest": child.digest}]);
    let deleted = caller.ok("BatchDeleteImage", json!({"repositoryName": "web", "imageIds": both})).await;
    assert_eq!(deleted["failures"], json!([]));
    assert_eq!(deleted["imageIds"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_a_failure_of_the_answer() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["v1"], "one").await;
    let other = digest_of(b"other");
    for (id, code) in [
        (json!({"imageTag": "gone"}), "ImageNotFound"),
        (json!({"imageDigest": other}), "ImageNotFound"),
        (json!({"imageDigest": "nonsense"}), "InvalidImageDigest"),
        (json!({"imageDigest": other, "imageTag": "v1"}), "ImageTagDoesNotMatchDigest"),
        (json!({}), "MissingDigestAndTag"),
    ] {
        for operation in ["BatchGetImage", "BatchDeleteImage"] {
            let answer = caller.ok(operation, json!({"repositoryName": "web", "imageIds": [id]})).await;
            assert_eq!(answer["failures"][0]["failureCode"], code, "{operation} {id}");
            assert_eq!(answer["failures"][0]["imageId"], id);
        }
    }
    let accepted = json!({
        "repositoryName": "web", "imageIds": [{"imageDigest": image.digest}], "acceptedMediaTypes": [OCI_INDEX],
    });
    assert_eq!(caller.ok("BatchGetImage", accepted).await["failures"][0]["failureCode"], "ImageNotFound");
    let message = format!(
        "The image with imageId {{imageDigest:'null', imageTag:'gone'}} does not exist within the repository with name \
         'web' in the registry with id '{ACCOUNT}'"
    );
    let describe = json!({"repositoryName": "web", "imageIds": [{"imageTag": "gone"}]});
    assert_eq!(caller.refused("DescribeImages", describe).await, refusal("ImageNotFoundException", &message));
}

#[tokio::test]
async fn images_are_listed_in_pages_each_name_once() {
    let caller = Caller::new();
    caller.repository("web").await;
    let mut expected = Vec::new();
    for n in 0..5 {
        let tags: Vec<String> = (0..n).map(|tag| format!("t{n}-{tag}")).collect();
        let names: Vec<&str> = tags.iter().map(String::as_str).collect();
        let image = caller.image("web", &names, &n.to_string()).await;
        match n {
            0 => expected.push(json!({"imageDigest": image.digest})),
            _ => expected.extend(tags.iter().map(|tag| json!({"imageDigest": image.digest, "imageTag": tag}))),
        }
    }
    for size in [1, 2, 3, 4, 1000] {
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let input = json!({"repositoryName": "web", "maxResults": size, "nextToken": token});
            let page = caller.ok("ListImages", input).await;
            found.extend(page["imageIds"].as_array().unwrap().iter().cloned());
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(found.len(), expected.len(), "{size}");
        assert!(expected.iter().all(|id| found.contains(id)), "{size}");
        let (mut digests, mut token) = (0, Value::Null);
        loop {
            let input = json!({"repositoryName": "web", "maxResults": size, "nextToken": token});
            let page = caller.ok("DescribeImages", input).await;
            digests += page["imageDetails"].as_array().unwrap().len();
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(digests, 5, "{size}");
    }
    let tagged = json!({"repositoryName": "web", "filter": {"tagStatus": "TAGGED"}});
    assert_eq!(caller.ok("DescribeImages", tagged).await["imageDetails"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn artifacts_are_found_by_what_they_refer_to() {
    let caller = Caller::new();
    caller.repository("web").await;
    let config = caller.layer("web", b"{}").await;
    // The subject need not be there yet.
    let subject = digest_of(b"subject");
    let mut digests = Vec::new();
    for (n, kind) in ["application/spdx+json", "application/sig", "application/sig"].into_iter().enumerate() {
        let mut manifest: Value = serde_json::from_str(&manifest_of(&config, &[])).unwrap();
        manifest["artifactType"] = json!(kind);
        manifest["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject, "size": 7});
        manifest["annotations"] = json!({"n": n.to_string()});
        let put = json!({"repositoryName": "web", "imageManifest": manifest.to_string()});
        digests.push(caller.ok("PutImage", put).await["image"]["imageId"]["imageDigest"].clone());
    }
    let list = |extra: Value| {
        let mut input = json!({"repositoryName": "web", "subjectId": {"imageDigest": subject}});
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        input
    };
    let all = caller.ok("ListImageReferrers", list(json!({}))).await["referrers"].clone();
    assert_eq!(all.as_array().unwrap().len(), 3);
    let filter = json!({"filter": {"artifactTypes": ["application/spdx+json"]}});
    let found = caller.ok("ListImageReferrers", list(filter)).await["referrers"].clone();
    assert_eq!(found[0]["digest"], digests[0]);
    assert_eq!(found[0]["annotations"], json!({"n": "0"}));
    assert_eq!(found.as_array().unwrap().len(), 1);
    let first = caller.ok("ListImageReferrers", list(json!({"maxResults": 2}))).await;
    assert_eq!(first["referrers"].as_array().unwrap().len(), 2);
    let rest = caller.ok("ListImageReferrers", list(json!({"nextToken": first["nextToken"]}))).await;
    assert_eq!(rest["referrers"].as_array().unwrap().len(), 1);
    let detail = json!({"repositoryName": "web", "imageIds": [{"imageDigest": digests[0]}]});
    assert_eq!(caller.ok("DescribeImages", detail).await["imageDetails"][0]["subjectManifestDigest"], json!(subject));
}

#[tokio::test]
async fn an_image_with_many_tags_is_deleted_with_all_of_them() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["t0"], "one").await;
    for n in 1..40 {
        let put = json!({"repositoryName": "web", "imageManifest": image.manifest, "imageTag": format!("t{n}")});
        caller.ok("PutImage", put).await;
    }
    let delete = json!({"repositoryName": "web", "imageIds": [{"imageDigest": image.digest}]});
    assert_eq!(caller.ok("BatchDeleteImage", delete).await["imageIds"].as_array().unwrap().len(), 40);
    let get = json!({"repositoryName": "web", "imageIds": [{"imageTag": "t39"}]});
    assert_eq!(caller.ok("BatchGetImage", get).await["failures"][0]["failureCode"], "ImageNotFound");
}

#[tokio::test]
async fn a_pull_from_another_account_needs_both_sides() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.image("web", &["v1"], "one").await;
    let theirs = caller.other_account();
    let get = json!({"registryId": ACCOUNT, "repositoryName": "web", "imageIds": [{"imageTag": "v1"}]});
    assert_eq!(theirs.refused("BatchGetImage", get.clone()).await.0, "AccessDeniedException");
    let statement = json!({"Effect": "Allow", "Principal": {"AWS": OTHER}, "Action": "ecr:BatchGetImage"});
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    caller.ok("SetRepositoryPolicy", json!({"repositoryName": "web", "policyText": text})).await;
    assert_eq!(theirs.ok("BatchGetImage", get.clone()).await["images"].as_array().unwrap().len(), 1);
    let nobody = theirs.user("bob", &json!({"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}));
    assert_eq!(nobody.refused("BatchGetImage", get).await.0, "AccessDeniedException");
    let put = json!({"registryId": ACCOUNT, "repositoryName": "web", "imageManifest": "{}"});
    assert_eq!(theirs.refused("PutImage", put).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn a_repository_with_images_goes_by_force_alone_and_leaves_nothing() {
    let caller = Caller::new();
    caller.repository("web").await;
    let child = caller.image("web", &["v1"], "one").await;
    let index = index_of(&[(&child.digest, child.manifest.len())]);
    caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": index})).await;
    caller.ok("InitiateLayerUpload", json!({"repositoryName": "web"})).await;
    let name = json!({"repositoryName": "web"});
    let message = format!(
        "The repository with name 'web' in registry with id '{ACCOUNT}' cannot be deleted because it still contains images"
    );
    assert_eq!(
        caller.refused("DeleteRepository", name.clone()).await,
        refusal("RepositoryNotEmptyException", &message)
    );
    caller.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
    caller.repository("web").await;
    assert_eq!(caller.ok("ListImages", name.clone()).await, json!({"imageIds": []}));
    caller.reconcile(ecr::reconcile::deletion::reconciler(&caller.ecr)).await;
    caller.ok("DeleteRepository", name).await;
    caller.reconcile(ecr::reconcile::deletion::reconciler(&caller.ecr)).await;
    assert_eq!(caller.keys().await, Vec::<String>::new());
}

/// Stores manifests that differ in an annotation alone.
async fn many(caller: &Caller, count: usize) -> Vec<(String, usize)> {
    let config = caller.layer("web", b"{}").await;
    let plain: Value = serde_json::from_str(&manifest_of(&config, &[])).unwrap();
    let mut images = Vec::new();
    for n in 0..count {
        let mut manifest = plain.clone();
        manifest["annotations"] = json!({"n": n.to_string()});
        let text = manifest.to_string();
        caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": text})).await;
        images.push((digest_of(text.as_bytes()), text.len()));
    }
    images
}

#[tokio::test]
async fn an_index_of_as_many_images_as_any_has_is_pushed_tagged_and_deleted_on_disk() {
    let caller = Caller::on_disk();
    caller.repository("web").await;
    let images = many(&caller, ecr::image::manifest::CHILDREN_MAX).await;
    let named: Vec<(&str, usize)> = images.iter().map(|(digest, size)| (digest.as_str(), *size)).collect();
    let mut index: Value = serde_json::from_str(&index_of(&named)).unwrap();
    index["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": digest_of(b"subject"), "size": 7});
    let name = ecr::names::RepositoryName::of_request(&caller.ctx(), None, "web");
    let tags: Vec<String> = (0..ecr::image::push::TAGS_A_PUSH_MAX).map(|n| format!("t{n}")).collect();
    // Each tag comes from another image.
    for (tag, (digest, _)) in tags.iter().zip(&images) {
        let get = json!({"repositoryName": "web", "imageIds": [{"imageDigest": digest}]});
        let manifest = caller.ok("BatchGetImage", get).await["images"][0]["imageManifest"].clone();
        caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": manifest, "imageTag": tag})).await;
    }
    let push = ecr::image::push::Push { bytes: index.to_string().into_bytes(), tags, ..Default::default() };
    let pushed = ecr::image::push::push(&caller.ecr, &name, push, caller.ctx().now).await.unwrap();
    assert!(pushed.has_changed);
    let child = json!({"repositoryName": "web", "imageIds": [{"imageDigest": images[99].0}]});
    let refused = caller.ok("BatchDeleteImage", child.clone()).await;
    assert_eq!(refused["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    let whole = json!({"repositoryName": "web", "imageIds": [{"imageDigest": pushed.digest.as_str()}]});
    assert_eq!(caller.ok("BatchDeleteImage", whole).await["imageIds"].as_array().unwrap().len(), 8);
    assert_eq!(caller.ok("BatchDeleteImage", child).await["failures"], json!([]));
    let mut listed = 0;
    let mut token = Value::Null;
    loop {
        let page = caller.ok("ListImages", json!({"repositoryName": "web", "nextToken": token})).await;
        listed += page["imageIds"].as_array().unwrap().len();
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(listed, 99);
    caller.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
    caller.reconcile(ecr::reconcile::deletion::reconciler(&caller.ecr)).await;
    assert_eq!(caller.keys().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_image_of_as_many_layers_as_any_has_is_one_record() {
    let caller = Caller::new();
    caller.repository("web").await;
    let config = caller.layer("web", b"{}").await;
    let layer = caller.layer("web", b"x").await;
    let scope = caller.ctx().scope();
    let store = &caller.ecr.platform.store;
    let name = ecr::names::RepositoryName::of_request(&caller.ctx(), None, "web");
    let repository = ecr::repository::find(store, name).await.unwrap();
    let reference = ecr::layer::read(store, &repository, &layer.digest.parse().unwrap()).await.unwrap().unwrap();
    let mut layers = Vec::new();
    for n in 0..ecr::image::manifest::LAYERS_MAX {
        // References stand in for uploads here.
        let layer = Layer { digest: digest_of(n.to_string().as_bytes()), size: 1 };
        let mut tx = store::Tx::new();
        tx.insert(&scope, &[repository.id(), &layer.digest], &reference.value);
        store.commit(tx).await.unwrap();
        layers.push(layer);
    }
    let manifest = manifest_of(&config, &layers.iter().collect::<Vec<_>>());
    let put = json!({"repositoryName": "web", "imageManifest": manifest});
    let digest = caller.ok("PutImage", put).await["image"]["imageId"]["imageDigest"].clone();
    let describe = json!({"repositoryName": "web", "imageIds": [{"imageDigest": digest}]});
    assert_eq!(caller.ok("DescribeImages", describe).await["imageDetails"][0]["imageSizeInBytes"], 1002);
}

#[tokio::test]
async fn tags_are_listed_in_the_order_of_their_letters_whatever_their_case() {
    let caller = Caller::new();
    caller.repository("web").await;
    let expected = ["1", "A", "a", "a-b", "a.b", "a1", "a_", "aB", "B", "b", "Z", "z"];
    for tag in expected.iter().rev() {
        caller.image("web", &[tag], "one").await;
    }
    let name = ecr::names::RepositoryName::of_request(&caller.ctx(), None, "web");
    let repository = ecr::repository::find(&caller.ecr.platform.store, name).await.unwrap();
    let (mut listed, mut last) = (Vec::new(), None);
    loop {
        let (page, more) = ecr::image::tags(&caller.ecr.platform.store, &repository, last.as_deref(), 5).await.unwrap();
        last = page.last().cloned();
        listed.extend(page);
        if !more {
            break;
        }
    }
    assert!(listed.is_sorted_by_key(|tag| tag.to_ascii_lowercase()), "{listed:?}");
    assert_eq!(listed.len(), expected.len());
    for tag in expected {
        let delete = json!({"repositoryName": "web", "imageIds": [{"imageTag": tag}]});
        assert_eq!(caller.ok("BatchDeleteImage", delete).await["failures"], json!([]));
    }
    assert!(caller.ok("ListImages", json!({"repositoryName": "web"})).await["imageIds"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_answered_at_once_of_manifests_is_bounded_however_large_they_are() {
    let caller = Caller::new();
    caller.repository("web").await;
    let config = caller.layer("web", b"{}").await;
    let subject = caller.image("web", &["v1"], "one").await;
    let mut document: Value = serde_json::from_str(&manifest_of(&config, &[])).unwrap();
    document["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject.digest, "size": subject.manifest.len()});
    for tag in ["a", "b", "c"] {
        document["annotations"] = json!({tag: "x".repeat(4_100_000)});
        let put = json!({"repositoryName": "web", "imageManifest": document.to_string(), "imageTag": tag});
        caller.ok("PutImage", put).await;
    }
    let ids: Vec<Value> = ["a", "b", "c", "v1", "a"].iter().map(|tag| json!({"imageTag": tag})).collect();
    let got = caller.ok("BatchGetImage", json!({"repositoryName": "web", "imageIds": ids})).await;
    let tags = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|it| it["imageId"]["imageTag"].clone()).collect()
    };
    assert_eq!(tags(&got["images"]), ["a", "b", "v1"]);
    assert_eq!(tags(&got["failures"]), ["c", "a"]);
    assert_eq!(got["failures"][0]["failureCode"], "ImageInaccessible");
    let (mut pages, mut token) = (Vec::new(), Value::Null);
    loop {
        let ask = json!({"repositoryName": "web", "subjectId": {"imageDigest": subject.digest}, "nextToken": token});
        let page = caller.ok("ListImageReferrers", ask).await;
        pages.push(page["referrers"].as_array().unwrap().len());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(pages, [2, 1]);
}
