//! Who may: callers with and without rights, and what policies of functions let others do.

use super::*;

fn permission(changes: Value) -> Value {
    let mut request = json!({
        "FunctionName": "thumbnails", "StatementId": "other", "Action": "lambda:InvokeFunction", "Principal": OTHER,
    });
    for (member, value) in changes.as_object().unwrap() {
        request[member] = value.clone();
    }
    request
}

#[tokio::test]
async fn another_account_calls_what_it_may_and_nothing_else() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.settle().await;
    let other = house.other_account();
    let invoke = |arn: &str| json!({ "FunctionName": arn });
    assert_eq!(other.refused("Invoke", invoke(ARN)).await.0, "AccessDeniedException");
    let missing = "arn:aws:lambda:us-east-1:123456789012:function:missing";
    assert_eq!(
        other.refused("Invoke", invoke(missing)).await.0,
        "AccessDeniedException",
        "nobody learns what is there"
    );
    let added = house.ok("AddPermission", permission(json!({}))).await;
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(statement["Resource"], ARN);
    other.ok("Invoke", invoke(ARN)).await;
    assert_eq!(other.refused("Invoke", invoke(&format!("{ARN}:1"))).await.0, "AccessDeniedException");
    assert_eq!(other.refused("GetFunction", invoke(ARN)).await.0, "AccessDeniedException");
    house.ok("AddPermission", permission(json!({ "Qualifier": "1" }))).await;
    other.ok("Invoke", invoke(&format!("{ARN}:1"))).await;
    house.ok("RemovePermission", json!({ "FunctionName": "thumbnails", "StatementId": "other" })).await;
    assert_eq!(other.refused("Invoke", invoke(ARN)).await.0, "AccessDeniedException");
    other.ok("Invoke", invoke(&format!("{ARN}:1"))).await;
}

#[tokio::test]
async fn statements_are_added_and_removed_by_name_and_by_revision() {
    let house = House::with_function().await;
    let told = house.refused("GetPolicy", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(
        told,
        ("ResourceNotFoundException".to_owned(), 404, "The resource you requested does not exist.".to_owned())
    );
    let told = house.refused("RemovePermission", json!({ "FunctionName": "thumbnails", "StatementId": "x" })).await;
    assert_eq!(told.2, "No policy is associated with the given resource.");
    let before = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await["RevisionId"].clone();
    house.ok("AddPermission", permission(json!({ "RevisionId": before }))).await;
    let told = house.refused("AddPermission", permission(json!({ "StatementId": "b", "RevisionId": before }))).await;
    assert_eq!(told.0, "PreconditionFailedException");
    assert_eq!(house.refused("AddPermission", permission(json!({}))).await.0, "ResourceConflictException");
    let policy = house.ok("GetPolicy", json!({ "FunctionName": "thumbnails" })).await;
    let now = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await["RevisionId"].clone();
    assert!(policy["RevisionId"] == now && now != before);
    let told = house.refused("RemovePermission", json!({ "FunctionName": ARN, "StatementId": "c" })).await;
    assert_eq!(told.2, "Statement c is not found in resource policy.");
    let told = house.refused("AddPermission", permission(json!({ "Qualifier": "$LATEST" }))).await;
    assert_eq!(told.2, "We currently do not support adding policies for $LATEST.");
    let told = house.refused("AddPermission", permission(json!({ "StatementId": "d", "Principal": "nobody" }))).await;
    assert_eq!(told.2, "The provided principal was invalid. Please check the principal and try again.");
    let told = house.refused("AddPermission", permission(json!({ "Qualifier": "missing" }))).await;
    assert_eq!(told.1, 404);
}

#[tokio::test]
async fn a_user_does_what_his_policy_lets_him() {
    let house = House::with_function().await;
    let statement = |actions: Value, resource: &str| json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": resource }] });
    let reader = house.user(&statement(json!(["lambda:Get*", "lambda:List*"]), "*"));
    reader.ok("GetFunction", json!({ "FunctionName": "thumbnails" })).await;
    reader.ok("ListFunctions", json!({})).await;
    for (operation, input) in [
        ("Invoke", json!({ "FunctionName": "thumbnails" })),
        ("InvokeWithResponseStream", json!({ "FunctionName": "thumbnails" })),
        ("DeleteFunction", json!({ "FunctionName": "thumbnails" })),
        ("UpdateFunctionCode", json!({ "FunctionName": "thumbnails", "ZipFile": zip64("x") })),
        ("PublishVersion", json!({ "FunctionName": "thumbnails" })),
        ("AddPermission", permission(json!({}))),
        ("PutFunctionConcurrency", json!({ "FunctionName": "thumbnails", "ReservedConcurrentExecutions": 1 })),
        ("TagResource", json!({ "Resource": ARN, "Tags": { "a": "b" } })),
        ("PublishLayerVersion", json!({ "LayerName": "l", "Content": { "ZipFile": zip64("x") } })),
        ("CreateFunctionUrlConfig", json!({ "FunctionName": "thumbnails", "AuthType": "NONE" })),
    ] {
        let told = reader.refused(operation, input).await;
        assert_eq!((told.0.as_str(), told.1), ("AccessDeniedException", 403), "{operation}");
    }
    let caller = house.user(&statement(json!("lambda:InvokeFunction"), ARN));
    caller.ok("Invoke", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(caller.refused("Invoke", json!({ "FunctionName": "other" })).await.0, "AccessDeniedException");
    // Who creates must be let to hand the role on, too.
    let creator = house.user(&statement(json!("lambda:CreateFunction"), "*"));
    let told = creator.refused("CreateFunction", function("f")).await;
    assert!(told.2.contains("iam:PassRole"), "{}", told.2);
}

#[tokio::test]
async fn a_tag_decides_where_a_policy_says_so() {
    let house = House::with_function().await;
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*",
            "Condition": { "StringEquals": { "aws:ResourceTag/team": "blue" } },
        }],
    });
    let user = house.user(&policy);
    assert_eq!(user.refused("Invoke", json!({ "FunctionName": "thumbnails" })).await.0, "AccessDeniedException");
    house.ok("TagResource", json!({ "Resource": ARN, "Tags": { "team": "blue" } })).await;
    user.ok("Invoke", json!({ "FunctionName": "thumbnails" })).await;
}
