use super::*;

#[tokio::test]
async fn a_repository_is_created_described_and_deleted() {
    let caller = Caller::new();
    let created = caller.ok("CreateRepository", json!({"repositoryName": "team/web"})).await["repository"].clone();
    assert_eq!(
        created,
        json!({
            "repositoryArn": arn("team/web"),
            "registryId": ACCOUNT,
            "repositoryName": "team/web",
            "repositoryUri": "127.0.0.1:4566/team/web",
            "createdAt": START / 1000,
            "imageTagMutability": "MUTABLE",
            "imageScanningConfiguration": {"scanOnPush": false},
            "encryptionConfiguration": {"encryptionType": "AES256"},
        })
    );
    let described = caller.ok("DescribeRepositories", json!({"repositoryNames": ["team/web"]})).await;
    assert_eq!(described["repositories"], json!([created]));
    let message = format!("The repository with name 'team/web' already exists in the registry with id '{ACCOUNT}'");
    assert_eq!(
        caller.refused("CreateRepository", json!({"repositoryName": "team/web"})).await,
        refusal("RepositoryAlreadyExistsException", &message)
    );
    let deleted = caller.ok("DeleteRepository", json!({"repositoryName": "team/web"})).await;
    assert_eq!(deleted["repository"], created);
    for operation in ["DescribeRepositories", "DeleteRepository"] {
        let input = match operation {
            "DescribeRepositories" => json!({"repositoryNames": ["team/web"]}),
            _ => json!({"repositoryName": "team/web"}),
        };
        assert_eq!(caller.refused(operation, input).await, repository_not_found("team/web"));
    }
}

#[tokio::test]
async fn a_wrong_name_is_an_invalid_parameter() {
    let caller = Caller::new();
    for name in ["x", "Web", "web/", "-web", "we b", &"a".repeat(257)] {
        let (code, message) = caller.refused("CreateRepository", json!({"repositoryName": name})).await;
        assert_eq!(code, "InvalidParameterException", "{name}");
        assert!(message.contains("repositoryName"), "{message}");
    }
}

#[tokio::test]
async fn repositories_are_listed_in_pages_each_once() {
    let caller = Caller::new();
    let mut names: Vec<String> = (0..7).map(|n| format!("web-{n}")).collect();
    names.push("web/x".to_owned());
    for name in &names {
        caller.repository(name).await;
    }
    caller.other_account().repository("theirs").await;
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = caller.ok("DescribeRepositories", json!({"maxResults": 3, "nextToken": token})).await;
        let page_names = page["repositories"].as_array().unwrap();
        assert!(page_names.len() <= 3);
        found.extend(page_names.iter().map(|it| it["repositoryName"].as_str().unwrap().to_owned()));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
        let theirs = caller.other_account();
        let (code, _) = theirs.refused("DescribeRepositories", json!({"nextToken": token})).await;
        assert_eq!(code, "InvalidParameterException");
    }
    found.sort();
    assert_eq!(found, names);
    let both = json!({"repositoryNames": ["web-1"], "maxResults": 1});
    assert_eq!(caller.refused("DescribeRepositories", both).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn mutability_and_scanning_are_kept_as_they_are_set() {
    let caller = Caller::new();
    let filters = json!([{"filterType": "WILDCARD", "filter": "latest*"}]);
    caller
        .ok(
            "CreateRepository",
            json!({
                "repositoryName": "web",
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filters,
                "imageScanningConfiguration": {"scanOnPush": true},
            }),
        )
        .await;
    let described = || async {
        caller.ok("DescribeRepositories", json!({"repositoryNames": ["web"]})).await["repositories"][0].clone()
    };
    let first = described().await;
    assert_eq!(first["imageTagMutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(first["imageTagMutabilityExclusionFilters"], filters);
    assert_eq!(first["imageScanningConfiguration"], json!({"scanOnPush": true}));
    let answer =
        caller.ok("PutImageTagMutability", json!({"repositoryName": "web", "imageTagMutability": "IMMUTABLE"})).await;
    assert_eq!(answer, json!({"registryId": ACCOUNT, "repositoryName": "web", "imageTagMutability": "IMMUTABLE"}));
    let scanning = json!({"repositoryName": "web", "imageScanningConfiguration": {"scanOnPush": false}});
    caller.ok("PutImageScanningConfiguration", scanning).await;
    let second = described().await;
    assert_eq!(second["imageTagMutability"], "IMMUTABLE");
    assert_eq!(second["imageTagMutabilityExclusionFilters"], Value::Null);
    assert_eq!(second["imageScanningConfiguration"], json!({"scanOnPush": false}));
    let wrong = json!({"repositoryName": "web", "imageTagMutability": "MUTABLE_WITH_EXCLUSION"});
    assert_eq!(caller.refused("PutImageTagMutability", wrong).await.0, "InvalidParameterException");
    let gone = json!({"repositoryName": "gone", "imageTagMutability": "MUTABLE"});
    assert_eq!(caller.refused("PutImageTagMutability", gone).await, repository_not_found("gone"));
}

#[tokio::test]
async fn a_key_of_kms_is_refused_clearly() {
    let caller = Caller::new();
    for encryption in [json!({"encryptionType": "KMS"}), json!({"encryptionType": "KMS_DSSE", "kmsKey": "k"})] {
        let input = json!({"repositoryName": "web", "encryptionConfiguration": encryption});
        assert_eq!(caller.refused("CreateRepository", input).await.0, "KmsException");
    }
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed() {
    let caller = Caller::new();
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    caller.ok("CreateRepository", json!({"repositoryName": "web", "tags": tags})).await;
    let list = json!({"resourceArn": arn("web")});
    assert_eq!(caller.ok("ListTagsForResource", list.clone()).await, json!({"tags": tags}));
    let added = json!([{"Key": "team", "Value": "red"}, {"Key": "stage", "Value": ""}]);
    caller.ok("TagResource", json!({"resourceArn": arn("web"), "tags": added})).await;
    assert_eq!(caller.ok("ListTagsForResource", list.clone()).await["tags"], added);
    caller.ok("UntagResource", json!({"resourceArn": arn("web"), "tagKeys": ["team", "missing"]})).await;
    let left = json!([{"Key": "stage", "Value": ""}]);
    assert_eq!(caller.ok("ListTagsForResource", list).await["tags"], left);
}

#[tokio::test]
async fn a_wrong_tag_is_refused() {
    let caller = Caller::new();
    caller.repository("web").await;
    let tag = |tags: Value| json!({"resourceArn": arn("web"), "tags": tags});
    let reserved = caller.refused("TagResource", tag(json!([{"Key": "aws:x", "Value": ""}]))).await;
    assert_eq!(reserved.0, "InvalidTagParameterException");
    let many: Vec<Value> = (0..51).map(|n| json!({"Key": n.to_string(), "Value": ""})).collect();
    assert_eq!(caller.refused("TagResource", tag(json!(many))).await.0, "TooManyTagsException");
    for (resource, expected) in [
        ("web".to_owned(), "InvalidParameterException"),
        ("arn:aws:ecr:eu-west-1:123456789012:repository/web".to_owned(), "InvalidParameterException"),
        (arn("gone"), "RepositoryNotFoundException"),
    ] {
        assert_eq!(caller.refused("ListTagsForResource", json!({"resourceArn": resource})).await.0, expected);
    }
}
