use ecr::reconcile::{lifecycle, preview};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn rule(priority: i32, selection: Value) -> Value {
    let description = "a text, so that the policy has the length that any must have at least: a hundred characters";
    json!({"rulePriority": priority, "description": description, "selection": selection, "action": {"type": "expire"}})
}

fn untagged_but_newest(kept: i32) -> Value {
    json!({"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": kept})
}

fn policy(rules: Value) -> String {
    json!({"rules": rules}).to_string()
}

impl Caller {
    /// Pushes images without tags, a day apart, and answers their digests.
    async fn days(&self, contents: &[&str]) -> Vec<String> {
        let mut digests = Vec::new();
        for content in contents {
            digests.push(self.image("web", &[], content).await.digest);
            self.advance(DAY);
        }
        digests
    }

    async fn digests(&self) -> Vec<String> {
        let listed = self.ok("ListImages", json!({"repositoryName": "web"})).await;
        let ids = listed["imageIds"].as_array().unwrap();
        ids.iter().map(|id| id["imageDigest"].as_str().unwrap().to_owned()).collect()
    }

    async fn execute(&self) {
        self.reconcile(lifecycle::reconciler(&self.ecr)).await;
    }

    async fn put(&self, text: &str) {
        self.ok("PutLifecyclePolicy", json!({"repositoryName": "web", "lifecyclePolicyText": text})).await;
    }
}

#[tokio::test]
async fn a_policy_is_set_answered_and_deleted() {
    let caller = Caller::new();
    caller.repository("web").await;
    let name = json!({"repositoryName": "web"});
    let message = format!(
        "Lifecycle policy does not exist for the repository with name 'web' in the registry with id '{ACCOUNT}'"
    );
    for operation in ["GetLifecyclePolicy", "DeleteLifecyclePolicy", "StartLifecyclePolicyPreview"] {
        let refused = caller.refused(operation, name.clone()).await;
        assert_eq!(refused, refusal("LifecyclePolicyNotFoundException", &message), "{operation}");
    }
    let text = policy(json!([rule(1, untagged_but_newest(1))]));
    let mut kept = json!({"registryId": ACCOUNT, "repositoryName": "web", "lifecyclePolicyText": text});
    let put = json!({"repositoryName": "web", "lifecyclePolicyText": text});
    assert_eq!(caller.ok("PutLifecyclePolicy", put).await, kept);
    assert_eq!(caller.ok("GetLifecyclePolicy", name.clone()).await, kept);
    caller.execute().await;
    kept["lastEvaluatedAt"] = json!(START / 1000);
    assert_eq!(caller.ok("GetLifecyclePolicy", name.clone()).await, kept);
    assert_eq!(caller.ok("DeleteLifecyclePolicy", name.clone()).await, kept);
    assert_eq!(caller.refused("GetLifecyclePolicy", name).await.0, "LifecyclePolicyNotFoundException");
}

#[tokio::test]
async fn a_wrong_policy_is_refused_in_the_services_words() {
    let caller = Caller::new();
    caller.repository("web").await;
    let put = |text: String| json!({"repositoryName": "web", "lifecyclePolicyText": text});
    let constraint = |text: &str| {
        let start = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy \
                     validation failure: ";
        refusal("InvalidParameterException", &format!("{start}{text}'"))
    };
    let refused = caller.refused("PutLifecyclePolicy", put("x".repeat(100))).await;
    assert_eq!(refused, constraint("Could not map policyString into LifecyclePolicy."));
    let twice = policy(json!([rule(1, untagged_but_newest(1)), rule(2, untagged_but_newest(1))]));
    for operation in ["PutLifecyclePolicy", "StartLifecyclePolicyPreview"] {
        let refused = caller.refused(operation, put(twice.clone())).await;
        assert_eq!(refused, constraint("Only one rule can select Untagged images per storage class"));
    }
    assert_eq!(caller.refused("PutLifecyclePolicy", put("{}".to_owned())).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn images_expire_as_the_policy_says() {
    let caller = Caller::new();
    caller.repository("web").await;
    let digests = caller.days(&["1", "2", "3", "4"]).await;
    let tagged = caller.image("web", &["v1"], "tagged").await;
    caller.put(&policy(json!([rule(1, untagged_but_newest(2))]))).await;
    caller.execute().await;
    let mut left = vec![digests[2].clone(), digests[3].clone(), tagged.digest];
    left.sort();
    assert_eq!(caller.digests().await, left);
    // Within the hour nothing happens; after it the policy is executed again.
    caller.image("web", &[], "5").await;
    caller.execute().await;
    assert_eq!(caller.digests().await.len(), 4);
    caller.advance(Duration::from_secs(3600));
    caller.execute().await;
    assert_eq!(caller.digests().await.len(), 3);
}

#[tokio::test]
async fn an_image_of_an_index_outlives_its_policy_until_the_index_has_gone() {
    let caller = Caller::new();
    caller.repository("web").await;
    let child = caller.image("web", &[], "child").await;
    let index = index_of(&[(&child.digest, child.manifest.len())]);
    caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": index, "imageTag": "all"})).await;
    let old = json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1});
    caller.put(&policy(json!([rule(1, old)]))).await;
    caller.advance(DAY * 2);
    caller.execute().await;
    assert_eq!(caller.digests().await, [child.digest]);
    caller.advance(DAY);
    caller.execute().await;
    assert_eq!(caller.digests().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_artifact_follows_its_subject_within_a_day() {
    let caller = Caller::new();
    caller.repository("web").await;
    let subject = caller.image("web", &["v1"], "subject").await;
    let config = caller.layer("web", b"{}").await;
    let mut manifest: Value = serde_json::from_str(&manifest_of(&config, &[])).unwrap();
    manifest["subject"] = json!({"mediaType": OCI_MANIFEST, "digest": subject.digest, "size": 7});
    caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": manifest.to_string()})).await;
    let old = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1});
    caller.put(&policy(json!([rule(1, old)]))).await;
    caller.advance(DAY * 3);
    caller.execute().await;
    assert_eq!(caller.digests().await.len(), 2, "a signature is no untagged image");
    caller.ok("BatchDeleteImage", json!({"repositoryName": "web", "imageIds": [{"imageTag": "v1"}]})).await;
    caller.advance(DAY);
    caller.execute().await;
    assert_eq!(caller.digests().await, Vec::<String>::new());
}

#[tokio::test]
async fn images_are_archived_and_come_back() {
    let caller = Caller::new();
    caller.repository("web").await;
    let image = caller.image("web", &["v1"], "one").await;
    let mut archive =
        rule(1, json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 30}));
    archive["action"] = json!({"type": "transition", "targetStorageClass": "archive"});
    caller.put(&policy(json!([archive]))).await;
    caller.advance(DAY * 31);
    caller.execute().await;
    let by_tag = json!({"repositoryName": "web", "imageIds": [{"imageTag": "v1"}]});
    let detail = caller.ok("DescribeImages", by_tag.clone()).await["imageDetails"][0].clone();
    assert_eq!(detail["imageStatus"], "ARCHIVED");
    let pulled = caller.ok("BatchGetImage", by_tag.clone()).await;
    assert_eq!(pulled["failures"][0]["failureCode"], "ImageInaccessible");
    let active = json!({"repositoryName": "web", "filter": {"imageStatus": "ACTIVE"}});
    assert_eq!(caller.ok("ListImages", active).await, json!({"imageIds": []}));
    let update = |class: &str| json!({"repositoryName": "web", "imageId": {"imageDigest": image.digest}, "targetStorageClass": class});
    assert_eq!(caller.ok("UpdateImageStorageClass", update("STANDARD")).await["imageStatus"], "ACTIVE");
    assert_eq!(caller.ok("BatchGetImage", by_tag.clone()).await["failures"], json!([]));
    assert_eq!(caller.ok("UpdateImageStorageClass", update("ARCHIVE")).await["imageStatus"], "ARCHIVED");
    // A push brings it back, too.
    let put = json!({"repositoryName": "web", "imageManifest": image.manifest, "imageTag": "v1"});
    caller.ok("PutImage", put).await;
    assert_eq!(caller.ok("BatchGetImage", by_tag).await["failures"], json!([]));
    let index = index_of(&[(&image.digest, image.manifest.len())]);
    caller.ok("PutImage", json!({"repositoryName": "web", "imageManifest": index})).await;
    let refused = caller.refused("UpdateImageStorageClass", update("ARCHIVE")).await;
    assert_eq!(refused.0, "ImageStorageClassUpdateNotSupportedException");
}

#[tokio::test]
async fn a_preview_tells_what_a_policy_would_do_and_does_nothing() {
    let caller = Caller::new();
    caller.repository("web").await;
    let name = json!({"repositoryName": "web"});
    let missing = caller.refused("GetLifecyclePolicyPreview", name.clone()).await;
    assert_eq!(missing.0, "LifecyclePolicyPreviewNotFoundException");
    let digests = caller.days(&["1", "2", "3"]).await;
    let tagged = caller.image("web", &["dev"], "tagged").await;
    let text = policy(json!([
        rule(1, untagged_but_newest(1)),
        rule(
            2,
            json!({"tagStatus": "tagged", "tagPatternList": ["de*"], "countType": "sinceImagePushed",
                       "countUnit": "days", "countNumber": 1})
        ),
    ]));
    caller.advance(DAY * 2);
    let start = json!({"repositoryName": "web", "lifecyclePolicyText": text});
    assert_eq!(caller.ok("StartLifecyclePolicyPreview", start.clone()).await["status"], "IN_PROGRESS");
    let early = caller.ok("GetLifecyclePolicyPreview", name.clone()).await;
    assert_eq!((&early["status"], &early["previewResults"]), (&json!("IN_PROGRESS"), &json!([])));
    let again = caller.refused("StartLifecyclePolicyPreview", start.clone()).await;
    assert_eq!(again.0, "LifecyclePolicyPreviewInProgressException");
    caller.reconcile(preview::reconciler(&caller.ecr)).await;
    let done = caller.ok("GetLifecyclePolicyPreview", name.clone()).await;
    assert_eq!(done["status"], "COMPLETE");
    assert_eq!(done["summary"], json!({"expiringImageTotalCount": 3}));
    let found: Vec<_> = done["previewResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["imageDigest"].as_str().unwrap().to_owned(), it["appliedRulePriority"].as_i64().unwrap()))
        .collect();
    assert_eq!(found, [(digests[0].clone(), 1), (digests[1].clone(), 1), (tagged.digest.clone(), 2)]);
    assert_eq!(
        done["previewResults"][2],
        json!({
            "imageTags": ["dev"], "imageDigest": tagged.digest, "imagePushedAt": START / 1000 + 3 * 86_400,
            "action": {"type": "EXPIRE"}, "appliedRulePriority": 2, "storageClass": "STANDARD",
        })
    );
    assert_eq!(caller.digests().await.len(), 4);
    let (mut paged, mut token) = (0, Value::Null);
    loop {
        let input = json!({"repositoryName": "web", "maxResults": 1, "nextToken": token});
        let page = caller.ok("GetLifecyclePolicyPreview", input).await;
        paged += page["previewResults"].as_array().unwrap().len();
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(paged, 3);
    for (extra, count) in [
        (json!({"filter": {"tagStatus": "TAGGED"}}), 1),
        (json!({"filter": {"tagStatus": "UNTAGGED"}}), 2),
        (json!({"imageIds": [{"imageTag": "dev"}, {"imageDigest": digests[0]}]}), 2),
    ] {
        let mut input = name.clone();
        input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let page = caller.ok("GetLifecyclePolicyPreview", input).await;
        assert_eq!(page["previewResults"].as_array().unwrap().len(), count, "{extra}");
    }
    caller.advance(DAY);
    caller.reconcile(preview::reconciler(&caller.ecr)).await;
    assert_eq!(caller.ok("GetLifecyclePolicyPreview", name).await["status"], "EXPIRED");
    caller.ok("StartLifecyclePolicyPreview", start).await;
}

#[tokio::test]
async fn a_deleted_repository_takes_its_policy_and_preview_along() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.days(&["1", "2"]).await;
    caller.put(&policy(json!([rule(1, untagged_but_newest(1))]))).await;
    caller.ok("StartLifecyclePolicyPreview", json!({"repositoryName": "web"})).await;
    caller.reconcile(preview::reconciler(&caller.ecr)).await;
    caller.ok("DeleteRepository", json!({"repositoryName": "web", "force": true})).await;
    caller.execute().await;
    caller.reconcile(ecr::reconcile::deletion::reconciler(&caller.ecr)).await;
    assert_eq!(caller.keys().await, Vec::<String>::new());
}
