use base::{Arn, PrincipalKind};

use super::*;

const THEIRS: &str = "999999999999";

fn document(account: &str, action: &str, resource: &str) -> String {
    let statement = json!({
        "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}, "Action": action,
        "Resource": resource
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

#[tokio::test]
async fn policies_of_the_account_are_written_listed_and_deleted() {
    let caller = Caller::new();
    let text = document(THEIRS, "logs:PutLogEvents", "*");
    let put = |name: &str| json!({"policyName": name, "policyDocument": text});
    let written = caller.ok("PutResourcePolicy", put("b")).await;
    let policy = &written["resourcePolicy"];
    assert_eq!((&policy["policyName"], &policy["policyDocument"]), (&json!("b"), &json!(text)));
    assert_eq!((&policy["policyScope"], &policy["lastUpdatedTime"]), (&json!("ACCOUNT"), &json!(START)));
    for n in 0..9 {
        caller.ok("PutResourcePolicy", put(&format!("a{n}"))).await;
    }
    let more = caller.refused("PutResourcePolicy", put("more")).await;
    assert_eq!(more, refusal("LimitExceededException", "Resource limit exceeded."));
    caller.ok("PutResourcePolicy", put("b")).await;
    let first = caller.ok("DescribeResourcePolicies", json!({"limit": 9})).await;
    let rest = caller.ok("DescribeResourcePolicies", json!({"nextToken": first["nextToken"]})).await;
    assert_eq!(column(&rest["resourcePolicies"], "policyName"), ["b"]);
    caller.ok("DeleteResourcePolicy", json!({"policyName": "b"})).await;
    let missing = caller.refused("DeleteResourcePolicy", json!({"policyName": "b"})).await;
    assert_eq!(missing, refusal("ResourceNotFoundException", "Policy with name [b] does not exist"));
    for wrong in [
        json!({"policyName": "x"}),
        json!({"policyName": "x", "policyDocument": "{}"}),
        json!({"policyDocument": text}),
    ] {
        assert_eq!(caller.refused("PutResourcePolicy", wrong.clone()).await.0, "InvalidParameterException", "{wrong}");
    }
}

#[tokio::test]
async fn another_account_comes_in_by_a_policy_and_only_so() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    caller.stream("h", "s").await;
    let other = caller.other_account();
    let ask = |group: &str| json!({"logGroupIdentifier": arn(&format!("log-group:{group}"))});
    assert_eq!(other.refused("FilterLogEvents", ask("g")).await.0, "AccessDeniedException");
    let text = document(THEIRS, "logs:FilterLogEvents", "*");
    let of_group = json!({"resourceArn": arn("log-group:g"), "policyDocument": text});
    let written = caller.ok("PutResourcePolicy", of_group).await;
    assert_eq!(written["resourcePolicy"]["policyScope"], "RESOURCE");
    assert_eq!(other.ok("FilterLogEvents", ask("g")).await["events"], json!([]));
    assert_eq!(other.refused("FilterLogEvents", ask("h")).await.0, "AccessDeniedException");
    assert_eq!(other.refused("DescribeLogStreams", ask("g")).await.0, "AccessDeniedException");
    let stale = json!({"resourceArn": arn("log-group:g"), "policyDocument": text, "expectedRevisionId": "x"});
    assert_eq!(caller.refused("PutResourcePolicy", stale).await.0, "OperationAbortedException");
    let described = caller.ok("DescribeResourcePolicies", json!({"resourceArn": arn("log-group:g")})).await;
    assert_eq!(described["resourcePolicies"][0]["revisionId"], written["revisionId"]);
    caller.ok("DeleteResourcePolicy", json!({"resourceArn": arn("log-group:g")})).await;
    assert_eq!(other.refused("FilterLogEvents", ask("g")).await.0, "AccessDeniedException");
    let all = document(THEIRS, "logs:*", &arn("log-group:*"));
    caller.ok("PutResourcePolicy", json!({"policyName": "all", "policyDocument": all})).await;
    other.ok("DescribeLogStreams", ask("h")).await;
    let theirs = caller.ok("DescribeResourcePolicies", json!({})).await;
    assert_eq!(column(&theirs["resourcePolicies"], "policyName"), ["all"]);
}

#[tokio::test]
async fn a_user_without_policies_is_denied_by_the_names_that_policies_use() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    let principal = Principal {
        account: caller.account,
        arn: Arn::global("iam", caller.account, "user/ann"),
        user_id: "AIDAANN".to_owned(),
        kind: PrincipalKind::User { name: "ann".to_owned() },
    };
    let model = caller.logs.model();
    for (operation, input, resource) in [
        ("CreateLogGroup", json!({"logGroupName": "x"}), "log-group:x:log-stream:"),
        ("DescribeLogGroups", json!({}), "log-group::log-stream:"),
        ("DescribeLogStreams", json!({"logGroupIdentifier": arn("log-group:g:*")}), "log-group:g:log-stream:"),
        ("GetLogEvents", json!({"logGroupName": "g", "logStreamName": "s"}), "log-group:g:log-stream:s"),
        ("ListTagsForResource", json!({"resourceArn": arn("log-group:g:*")}), "log-group:g"),
    ] {
        let ctx = Ctx::new(principal.clone(), Region::default(), caller.clock.now(), "test");
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        let error = caller.logs.call(&ctx, number, value).await.unwrap_err();
        let expected = format!("is not authorized to perform: logs:{operation} on resource: {}", arn(resource));
        assert!(error.message.contains(&expected), "{}", error.message);
    }
}

#[tokio::test]
async fn there_is_no_destination_for_subscriptions_and_that_is_said() {
    let caller = Caller::new();
    caller.group("g").await;
    let lambda = "arn:aws:lambda:us-east-1:123456789012:function:f";
    let put = |group: &str, pattern: &str| json!({"logGroupName": group, "filterName": "f", "filterPattern": pattern, "destinationArn": lambda});
    let (code, message) = caller.refused("PutSubscriptionFilter", put("g", "")).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(message.starts_with("Could not execute the lambda function."), "{message}");
    assert_eq!(caller.refused("PutSubscriptionFilter", put("x", "")).await, group_not_found());
    assert_eq!(caller.refused("PutSubscriptionFilter", put("g", "{ $.a")).await.0, "InvalidParameterException");
    let none = caller.ok("DescribeSubscriptionFilters", json!({"logGroupName": "g"})).await;
    assert_eq!(none, json!({"subscriptionFilters": []}));
    let missing = caller.refused("DeleteSubscriptionFilter", json!({"logGroupName": "g", "filterName": "f"})).await;
    assert_eq!(missing, refusal("ResourceNotFoundException", "The specified subscription filter does not exist."));
}

#[tokio::test]
async fn a_tail_of_what_cannot_be_watched_is_refused() {
    let caller = Caller::new();
    caller.group("g").await;
    caller.group("h").await;
    caller.ok("CreateLogGroup", json!({"logGroupName": "rare", "logGroupClass": "INFREQUENT_ACCESS"})).await;
    for (input, code) in [
        (json!({"logGroupIdentifiers": [arn("log-group:x")]}), "ResourceNotFoundException"),
        (json!({"logGroupIdentifiers": ["rare"]}), "InvalidOperationException"),
        (json!({"logGroupIdentifiers": ["g", "h"], "logStreamNames": ["s"]}), "InvalidParameterException"),
        (json!({"logGroupIdentifiers": ["g"], "logEventFilterPattern": "{ $.a"}), "InvalidParameterException"),
        (
            json!({"logGroupIdentifiers": ["g"], "logStreamNames": ["s"], "logStreamNamePrefixes": ["s"]}),
            "InvalidParameterException",
        ),
    ] {
        assert_eq!(caller.refused("StartLiveTail", input.clone()).await.0, code, "{input}");
    }
    let theirs = json!({"logGroupIdentifiers": [arn("log-group:g")]});
    assert_eq!(caller.other_account().refused("StartLiveTail", theirs).await.0, "AccessDeniedException");
}
