use super::*;

#[tokio::test]
async fn a_group_is_created_described_and_deleted() {
    let caller = Caller::new();
    caller.ok("CreateLogGroup", json!({"logGroupName": "/aws/lambda/f", "tags": {"team": "a"}})).await;
    let described = caller.ok("DescribeLogGroups", json!({})).await;
    let expected = json!({"logGroups": [{
        "logGroupName": "/aws/lambda/f", "creationTime": START, "metricFilterCount": 0, "storedBytes": 0,
        "arn": arn("log-group:/aws/lambda/f:*"), "logGroupArn": arn("log-group:/aws/lambda/f"),
        "logGroupClass": "STANDARD", "deletionProtectionEnabled": false
    }]});
    assert_eq!(described, expected);
    let again = caller.refused("CreateLogGroup", json!({"logGroupName": "/aws/lambda/f"})).await;
    assert_eq!(again, refusal("ResourceAlreadyExistsException", "The specified log group already exists"));
    caller.ok("DeleteLogGroup", json!({"logGroupName": "/aws/lambda/f"})).await;
    assert_eq!(caller.ok("DescribeLogGroups", json!({})).await, json!({"logGroups": []}));
    assert_eq!(caller.refused("DeleteLogGroup", json!({"logGroupName": "/aws/lambda/f"})).await, group_not_found());
}

#[tokio::test]
async fn what_pilvi_cannot_keep_is_refused_when_a_group_is_created() {
    let caller = Caller::new();
    for (member, value) in [
        ("kmsKeyId", json!("arn:aws:kms:us-east-1:123456789012:key/k")),
        ("logGroupClass", json!("ESSENTIALS")),
        ("tags", json!({"aws:x": "y"})),
    ] {
        let (code, message) = caller.refused("CreateLogGroup", json!({"logGroupName": "g", member: value})).await;
        assert_eq!(code, "InvalidParameterException", "{message}");
    }
    assert_eq!(caller.ok("DescribeLogGroups", json!({})).await, json!({"logGroups": []}));
}

#[tokio::test]
async fn groups_come_by_name_and_in_pages() {
    let caller = Caller::new();
    for name in ["b/c", "b", "b-c", "a/b", "b/c/d", "c"] {
        caller.group(name).await;
    }
    let names = |answer: &Value| column(&answer["logGroups"], "logGroupName");
    let all = caller.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(names(&all), ["a/b", "b", "b-c", "b/c", "b/c/d", "c"]);
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"logGroupNamePrefix": "b", "limit": 2});
        if token.is_string() {
            input["nextToken"] = token;
        }
        let page = caller.ok("DescribeLogGroups", input).await;
        seen.extend(names(&page));
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["b", "b-c", "b/c", "b/c/d"]);
    let by_part = caller.ok("DescribeLogGroups", json!({"logGroupNamePattern": "/c"})).await;
    assert_eq!(names(&by_part), ["b/c", "b/c/d"]);
    let chosen = json!({"logGroupIdentifiers": ["c", arn("log-group:b/c"), "missing"]});
    assert_eq!(names(&caller.ok("DescribeLogGroups", chosen).await), ["c", "b/c"]);
    let both = json!({"logGroupNamePrefix": "b", "logGroupNamePattern": "c"});
    let message = "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.";
    assert_eq!(caller.refused("DescribeLogGroups", both).await, refusal("InvalidParameterException", message));
    let token = caller.refused("DescribeLogGroups", json!({"nextToken": "x"})).await;
    assert_eq!(token, refusal("InvalidParameterException", "The specified nextToken is invalid."));
}

#[tokio::test]
async fn groups_are_listed_by_class_name_and_tags() {
    let caller = Caller::new();
    caller.ok("CreateLogGroup", json!({"logGroupName": "app/one", "tags": {"team": "blue"}})).await;
    let rare = json!({"logGroupName": "app/two", "logGroupClass": "INFREQUENT_ACCESS"});
    caller.ok("CreateLogGroup", rare).await;
    let names = |answer: Value| column(&answer["logGroups"], "logGroupName");
    assert_eq!(names(caller.ok("ListLogGroups", json!({})).await), ["app/one", "app/two"]);
    let rare = json!({"logGroupClass": "INFREQUENT_ACCESS"});
    assert_eq!(names(caller.ok("ListLogGroups", rare.clone()).await), ["app/two"]);
    assert_eq!(names(caller.ok("DescribeLogGroups", rare).await), ["app/two"]);
    let tagged = json!({"logGroupTags": [{"key": "team", "values": ["bl*"]}]});
    assert_eq!(names(caller.ok("ListLogGroups", tagged).await), ["app/one"]);
    let matched = json!({"logGroupNamePattern": "^two|one"});
    assert_eq!(names(caller.ok("ListLogGroups", matched).await), ["app/one"]);
}

#[tokio::test]
async fn a_retention_is_one_of_the_days_that_there_are() {
    let caller = Caller::new();
    caller.group("g").await;
    caller.ok("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 7})).await;
    let described = caller.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(described["logGroups"][0]["retentionInDays"], 7);
    let (code, message) =
        caller.refused("PutRetentionPolicy", json!({"logGroupName": "g", "retentionInDays": 6})).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(message.starts_with("1 validation error detected: Value '6' at 'retentionInDays' failed"), "{message}");
    caller.ok("DeleteRetentionPolicy", json!({"logGroupName": "g"})).await;
    let described = caller.ok("DescribeLogGroups", json!({})).await;
    assert!(described["logGroups"][0].get("retentionInDays").is_none());
    let missing = caller.refused("PutRetentionPolicy", json!({"logGroupName": "x", "retentionInDays": 7})).await;
    assert_eq!(missing, group_not_found());
}

#[tokio::test]
async fn a_protected_group_is_not_deleted() {
    let caller = Caller::new();
    caller.ok("CreateLogGroup", json!({"logGroupName": "g", "deletionProtectionEnabled": true})).await;
    assert_eq!(caller.refused("DeleteLogGroup", json!({"logGroupName": "g"})).await.0, "ValidationException");
    let open = json!({"logGroupIdentifier": arn("log-group:g"), "deletionProtectionEnabled": false});
    caller.ok("PutLogGroupDeletionProtection", open).await;
    caller.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
}

#[tokio::test]
async fn a_group_that_is_created_again_has_nothing_of_the_one_before_and_the_rest_goes() {
    let caller = Caller::new();
    for n in 0..30 {
        caller.stream("g", &format!("s{n}")).await;
    }
    caller.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    caller.group("g").await;
    let streams = caller.ok("DescribeLogStreams", json!({"logGroupName": "g"})).await;
    assert_eq!(streams, json!({"logStreams": []}));
    caller.stream("g", "kept").await;
    let round = caller.reconcile(logs::reconcile::deletion::reconciler(&caller.logs)).await;
    assert_eq!(round.changes, 1);
    let streams = caller.logs.platform.store.list_everywhere::<logs::stream::LogStream>(None, 100).await.unwrap();
    assert_eq!(streams.items.iter().map(|stream| stream.name.as_str()).collect::<Vec<_>>(), ["kept"]);
    let round = caller.reconcile(logs::reconcile::deletion::reconciler(&caller.logs)).await;
    assert_eq!(round.changes, 0);
}

#[tokio::test]
async fn another_account_sees_none_of_it() {
    let caller = Caller::new();
    caller.group("g").await;
    let other = caller.other_account();
    assert_eq!(other.ok("DescribeLogGroups", json!({})).await, json!({"logGroups": []}));
    other.group("g").await;
    let (code, _) = other.refused("DescribeLogStreams", json!({"logGroupIdentifier": arn("log-group:g")})).await;
    assert_eq!(code, "AccessDeniedException");
}

#[tokio::test]
async fn events_of_no_group_at_all_go_when_the_process_starts() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    let event = json!([{"timestamp": START, "message": "kept"}]);
    caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "logEvents": event})).await;
    let stray = segments::GroupKey::new(caller.account, &Region::default(), "stray").unwrap();
    let event = segments::NewEvent { timestamp: caller.clock.now(), message: "stray".to_owned() };
    caller.logs.segments.append(&stray, "s", caller.clock.now(), vec![event]).await.unwrap();
    assert_eq!(caller.logs.segments.groups().unwrap().len(), 2);
    let reconciler = logs::reconcile::deletion::reconciler(&caller.logs);
    assert_eq!(caller.reconcile(reconciler.clone()).await.changes, 1);
    assert_eq!(caller.logs.segments.groups().unwrap().len(), 1);
    assert_eq!(caller.reconcile(reconciler).await.changes, 0);
    let found = caller.ok("FilterLogEvents", json!({"logGroupName": "g"})).await;
    assert_eq!(column(&found["events"], "message"), ["kept"]);
}
