use super::*;

#[tokio::test]
async fn tags_of_clusters_and_task_definitions_are_added_replaced_and_removed() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    for resource in [arn("cluster/web"), caller.register("web").await] {
        let tag = |tags: Value| json!({"resourceArn": resource, "tags": tags});
        let list = json!({"resourceArn": resource});
        assert_eq!(caller.ok("ListTagsForResource", list.clone()).await, json!({"tags": []}));
        caller.ok("TagResource", tag(json!([{"key": "a", "value": "1"}, {"key": "A", "value": ""}]))).await;
        caller.ok("TagResource", tag(json!([{"key": "a", "value": "2"}]))).await;
        let both = json!([{"key": "a", "value": "2"}, {"key": "A", "value": ""}]);
        assert_eq!(caller.ok("ListTagsForResource", list.clone()).await["tags"], both);
        let untag = json!({"resourceArn": resource, "tagKeys": ["A", "missing"]});
        assert_eq!(caller.ok("UntagResource", untag).await, json!({}));
        assert_eq!(caller.ok("ListTagsForResource", list).await["tags"], json!([{"key": "a", "value": "2"}]));
    }
}

#[tokio::test]
async fn a_wrong_tag_has_the_error_of_its_resource() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    let definition = caller.register("web").await;
    for (resource, code) in [(arn("cluster/web"), "InvalidParameterException"), (definition, "ClientException")] {
        let input = json!({"resourceArn": resource, "tags": [{"key": "empty"}]});
        assert_eq!(caller.refused("TagResource", input).await, refusal(code, "Tag value can not be null."));
        let reserved = json!({"resourceArn": resource, "tags": [{"key": "aws:x", "value": "1"}]});
        assert_eq!(caller.refused("TagResource", reserved).await.0, code);
    }
}

#[tokio::test]
async fn a_resource_has_fifty_tags_at_most() {
    let caller = Caller::new();
    caller.ok("CreateCluster", json!({"clusterName": "web"})).await;
    let tags = |range: std::ops::Range<i32>| {
        let tags: Vec<Value> = range.map(|n| json!({"key": format!("k{n}"), "value": ""})).collect();
        json!({"resourceArn": arn("cluster/web"), "tags": tags})
    };
    caller.ok("TagResource", tags(0..50)).await;
    caller.ok("TagResource", tags(0..50)).await;
    assert_eq!(caller.refused("TagResource", tags(50..51)).await.0, "LimitExceededException");
}

#[tokio::test]
async fn what_is_not_there_has_no_tags() {
    let caller = Caller::new();
    for (resource, code, message) in [
        (arn("cluster/gone"), "ClusterNotFoundException", "Cluster not found."),
        (arn("task-definition/gone:1"), "ClientException", "Unable to describe task definition."),
        (arn("task-definition/gone"), "InvalidParameterException", "Revision is missing"),
        (
            arn("service/web/api"),
            "InvalidParameterException",
            "The specified service does not exist. Specify a valid service and try again.",
        ),
        (
            "arn:aws:s3:::bucket".to_owned(),
            "InvalidParameterException",
            "The specified resource ARN is invalid. Specify a valid ARN and try again.",
        ),
    ] {
        for (operation, extra) in [
            ("ListTagsForResource", json!({})),
            ("TagResource", json!({"tags": [{"key": "k", "value": "v"}]})),
            ("UntagResource", json!({"tagKeys": ["k"]})),
        ] {
            let mut input = extra;
            input["resourceArn"] = json!(resource);
            assert_eq!(caller.refused(operation, input).await, refusal(code, message), "{operation} {resource}");
        }
    }
}
