use super::*;

#[tokio::test]
async fn tags_are_added_listed_and_removed_by_arn_and_by_name() {
    let caller = Caller::new();
    caller.ok("CreateLogGroup", json!({"logGroupName": "g", "tags": {"a": "1"}})).await;
    let named = json!({"resourceArn": arn("log-group:g")});
    caller.ok("TagResource", json!({"resourceArn": arn("log-group:g"), "tags": {"a": "2", "b": "3"}})).await;
    assert_eq!(caller.ok("ListTagsForResource", named.clone()).await, json!({"tags": {"a": "2", "b": "3"}}));
    caller.ok("UntagResource", json!({"resourceArn": arn("log-group:g"), "tagKeys": ["a", "x"]})).await;
    caller.ok("TagLogGroup", json!({"logGroupName": "g", "tags": {"c": ""}})).await;
    let by_name = caller.ok("ListTagsLogGroup", json!({"logGroupName": "g"})).await;
    assert_eq!(by_name, json!({"tags": {"b": "3", "c": ""}}));
    caller.ok("UntagLogGroup", json!({"logGroupName": "g", "tags": ["b", "c"]})).await;
    assert_eq!(caller.ok("ListTagsForResource", named).await, json!({"tags": {}}));
}

#[tokio::test]
async fn what_cannot_be_tagged_is_refused() {
    let caller = Caller::new();
    caller.group("g").await;
    for (resource, tags, code) in [
        (arn("log-group:x"), json!({"a": "b"}), "ResourceNotFoundException"),
        (arn("destination:x"), json!({"a": "b"}), "ResourceNotFoundException"),
        (arn("log-group:g"), json!({"aws:a": "b"}), "InvalidParameterException"),
    ] {
        let input = json!({"resourceArn": resource, "tags": tags});
        assert_eq!(caller.refused("TagResource", input).await.0, code, "{resource}");
    }
    let many: serde_json::Map<_, _> = (0..50).map(|n| (format!("k{n}"), json!(""))).collect();
    caller.ok("TagResource", json!({"resourceArn": arn("log-group:g"), "tags": many})).await;
    let more = json!({"resourceArn": arn("log-group:g"), "tags": {"other": ""}});
    assert_eq!(caller.refused("TagResource", more).await.0, "TooManyTagsException");
}
