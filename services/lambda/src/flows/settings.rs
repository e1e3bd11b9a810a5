//! What else a function may have: tags, executions of its own, addresses, what becomes of events.

use super::*;

#[tokio::test]
async fn tags_belong_to_functions_alone() {
    let house = House::with_function().await;
    house.ok("TagResource", json!({ "Resource": ARN, "Tags": { "team": "blue", "stage": "test" } })).await;
    house.ok("UntagResource", json!({ "Resource": ARN, "TagKeys": ["stage", "none"] })).await;
    assert_eq!(house.ok("ListTags", json!({ "Resource": ARN })).await, json!({ "Tags": { "team": "blue" } }));
    assert_eq!(house.ok("GetFunction", json!({ "FunctionName": ARN })).await["Tags"], json!({ "team": "blue" }));
    let told = house.refused("TagResource", json!({ "Resource": format!("{ARN}:1"), "Tags": { "a": "b" } })).await;
    assert_eq!(told.2, "Tags on function aliases and versions are not supported. Please specify a function ARN.");
    let many: serde_json::Map<String, Value> = (0..50).map(|n| (format!("k{n}"), json!(""))).collect();
    let told = house.refused("TagResource", json!({ "Resource": ARN, "Tags": many })).await;
    assert_eq!(told.2, "Number of tags exceeds resource tag limit.");
    assert_eq!(
        house.refused("TagResource", json!({ "Resource": "x", "Tags": { "a": "b" } })).await.0,
        "ValidationException"
    );
}

#[tokio::test]
async fn executions_are_reserved_as_long_as_a_hundred_stay_free() {
    let house = House::with_function().await;
    let reserve = |count: i64| json!({ "FunctionName": "thumbnails", "ReservedConcurrentExecutions": count });
    assert_eq!(house.ok("PutFunctionConcurrency", reserve(900)).await, json!({ "ReservedConcurrentExecutions": 900 }));
    let told = house.refused("PutFunctionConcurrency", reserve(901)).await;
    let message = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
        below its minimum value of [100].";
    assert_eq!(told, ("InvalidParameterValueException".to_owned(), 400, message.to_owned()));
    let limits = house.ok("GetAccountSettings", json!({})).await["AccountLimit"].clone();
    assert_eq!(
        (&limits["ConcurrentExecutions"], &limits["UnreservedConcurrentExecutions"]),
        (&json!(1000), &json!(100))
    );
    assert_eq!(limits["TotalCodeSize"], 80_530_636_800_u64);
    house.create("second").await;
    let second = json!({ "FunctionName": "second", "ReservedConcurrentExecutions": 1 });
    assert!(house.call("PutFunctionConcurrency", second.clone()).await.is_err());
    let told = house.ok("GetFunction", json!({ "FunctionName": ARN })).await;
    assert_eq!(told["Concurrency"], json!({ "ReservedConcurrentExecutions": 900 }));
    house.ok("DeleteFunctionConcurrency", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(house.ok("GetFunctionConcurrency", json!({ "FunctionName": "thumbnails" })).await, json!({}));
    house.ok("PutFunctionConcurrency", second).await;
    let told = house
        .refused("PutFunctionConcurrency", json!({ "FunctionName": "second:1", "ReservedConcurrentExecutions": 1 }))
        .await;
    assert!(told.2.starts_with("This operation is permitted on Lambda functions only."), "{}", told.2);
}

#[tokio::test]
async fn environments_are_kept_ready_of_versions_and_aliases() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.ok("CreateAlias", json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1" })).await;
    let of = |qualifier: &str| json!({ "FunctionName": "thumbnails", "Qualifier": qualifier });
    let put = |qualifier: &str, count: i64| json!({ "FunctionName": "thumbnails", "Qualifier": qualifier, "ProvisionedConcurrentExecutions": count });
    let told = house.refused("PutProvisionedConcurrencyConfig", put("$LATEST", 1)).await;
    assert_eq!(told.2, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.");
    let told = house.ok("PutProvisionedConcurrencyConfig", put("live", 5)).await;
    assert_eq!(
        (&told["Status"], &told["RequestedProvisionedConcurrentExecutions"]),
        (&json!("IN_PROGRESS"), &json!(5))
    );
    let told = house.refused("PutProvisionedConcurrencyConfig", put("1", 5)).await;
    assert_eq!(
        (told.0.as_str(), told.2.as_str()),
        ("ResourceConflictException", "Version is pointed by a Provisioned Concurrency alias")
    );
    *house.stage.ready.lock().unwrap() = Readiness { ready: 2, failed: None };
    let told = house.ok("GetProvisionedConcurrencyConfig", of("live")).await;
    assert_eq!((&told["Status"], &told["StatusReason"]), (&json!("IN_PROGRESS"), &Value::Null));
    *house.stage.ready.lock().unwrap() = Readiness { ready: 2, failed: Some("no room".to_owned()) };
    let told = house.ok("GetProvisionedConcurrencyConfig", of("live")).await;
    assert_eq!((&told["Status"], &told["StatusReason"]), (&json!("FAILED"), &json!("no room")));
    assert_eq!(told["AvailableProvisionedConcurrentExecutions"], 2);
    let listed = house.ok("ListProvisionedConcurrencyConfigs", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(listed["ProvisionedConcurrencyConfigs"][0]["StatusReason"], "no room");
    *house.stage.ready.lock().unwrap() = Readiness { ready: 5, failed: Some("no room".to_owned()) };
    let told = house.ok("GetProvisionedConcurrencyConfig", of("live")).await;
    assert_eq!((&told["Status"], &told["AvailableProvisionedConcurrentExecutions"]), (&json!("READY"), &json!(5)));
    let told = house.refused("GetProvisionedConcurrencyConfig", of("1")).await;
    assert_eq!((told.0.as_str(), told.1), ("ProvisionedConcurrencyConfigNotFoundException", 404));
    let listed = house.ok("ListProvisionedConcurrencyConfigs", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(listed["ProvisionedConcurrencyConfigs"][0]["FunctionArn"], format!("{ARN}:live"));
    let reserve = json!({ "FunctionName": "thumbnails", "ReservedConcurrentExecutions": 4 });
    let told = house.refused("PutFunctionConcurrency", reserve).await;
    assert!(told.2.contains("should not be lower than function's total provisioned concurrency [5]"), "{}", told.2);
    let told = house.refused("PutProvisionedConcurrencyConfig", put("live", 901)).await;
    assert!(told.2.starts_with("Specified ConcurrentExecutions for function decreases account's"), "{}", told.2);
    house.ok("DeleteAlias", json!({ "FunctionName": "thumbnails", "Name": "live" })).await;
    let limits = house.ok("GetAccountSettings", json!({})).await["AccountLimit"].clone();
    assert_eq!(limits["UnreservedConcurrentExecutions"], 1000, "what was kept ready of the alias is free again");
    house.ok("PutProvisionedConcurrencyConfig", put("1", 2)).await;
    house.ok("DeleteProvisionedConcurrencyConfig", of("1")).await;
    house.ok("DeleteProvisionedConcurrencyConfig", of("1")).await;
    let missing = house.refused("GetProvisionedConcurrencyConfig", of("gone")).await;
    assert_eq!(missing.2, format!("Cannot find alias arn: {ARN}:gone"));
}

#[tokio::test]
async fn what_becomes_of_events_is_said_and_said_otherwise() {
    let house = House::with_function().await;
    let told = house.refused("GetFunctionEventInvokeConfig", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(told.2, format!("The function {ARN}:$LATEST doesn't have an EventInvokeConfig"));
    let put = house
        .ok("PutFunctionEventInvokeConfig", json!({ "FunctionName": "thumbnails", "MaximumRetryAttempts": 1 }))
        .await;
    let expected = json!({
        "DestinationConfig": { "OnFailure": {}, "OnSuccess": {} },
        "FunctionArn": format!("{ARN}:$LATEST"),
        "LastModified": 1_767_225_600,
        "MaximumRetryAttempts": 1,
    });
    assert_eq!(put, expected);
    let update = json!({ "FunctionName": "thumbnails", "MaximumEventAgeInSeconds": 60 });
    let told = house.ok("UpdateFunctionEventInvokeConfig", update).await;
    assert_eq!((&told["MaximumRetryAttempts"], &told["MaximumEventAgeInSeconds"]), (&json!(1), &json!(60)));
    let told = house.refused("PutFunctionEventInvokeConfig", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(told.2, "You must specify at least one of error handling or destination setting.");
    let queue = json!({ "OnFailure": { "Destination": "arn:aws:sqs:us-east-1:123456789012:dead" } });
    let request = json!({ "FunctionName": "thumbnails", "DestinationConfig": queue });
    assert_eq!(house.refused("PutFunctionEventInvokeConfig", request).await.0, "NotImplemented");
    let listed = house.ok("ListFunctionEventInvokeConfigs", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(listed["FunctionEventInvokeConfigs"].as_array().unwrap().len(), 1);
    house.ok("DeleteFunctionEventInvokeConfig", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(house.refused("DeleteFunctionEventInvokeConfig", json!({ "FunctionName": "thumbnails" })).await.1, 404);
    let told =
        house.refused("PutFunctionEventInvokeConfig", json!({ "FunctionName": "x", "MaximumRetryAttempts": 1 })).await;
    assert_eq!(told.2, "The function doesn't exist.");
}

#[tokio::test]
async fn a_function_has_one_address_and_so_has_each_alias() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.ok("CreateAlias", json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1" })).await;
    let cors = json!({ "AllowOrigins": ["*"], "AllowMethods": ["GET"], "MaxAge": 60 });
    let request = json!({ "FunctionName": "thumbnails", "AuthType": "NONE", "Cors": cors });
    let made = house.ok("CreateFunctionUrlConfig", request.clone()).await;
    let url = made["FunctionUrl"].as_str().unwrap();
    let id = url.strip_prefix("http://").unwrap().strip_suffix(".lambda-url.us-east-1.localhost:4566/").unwrap();
    assert_eq!((id.len(), &made["FunctionArn"], &made["InvokeMode"]), (32, &json!(ARN), &json!("BUFFERED")));
    assert_eq!(made["Cors"], cors);
    let told = house.refused("CreateFunctionUrlConfig", request).await;
    assert!(
        told.2.starts_with(&format!("Failed to create function url config for [functionArn = {ARN}].")),
        "{}",
        told.2
    );
    let of_alias = json!({ "FunctionName": "thumbnails", "Qualifier": "live", "AuthType": "AWS_IAM" });
    assert_eq!(house.ok("CreateFunctionUrlConfig", of_alias).await["FunctionArn"], format!("{ARN}:live"));
    let listed = house.ok("ListFunctionUrlConfigs", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(listed["FunctionUrlConfigs"].as_array().unwrap().len(), 2);
    let name = house.lambda.platform.store.read::<crate::url::UrlName>(&store::Scope::system(), &[id]).await.unwrap();
    assert_eq!(name.unwrap().target().arn(), ARN);
    let stream = json!({ "FunctionName": "thumbnails", "InvokeMode": "RESPONSE_STREAM" });
    let told = house.ok("UpdateFunctionUrlConfig", stream).await;
    assert_eq!(
        (&told["InvokeMode"], &told["AuthType"], &told["Cors"]),
        (&json!("RESPONSE_STREAM"), &json!("NONE"), &cors)
    );
    let told =
        house.refused("CreateFunctionUrlConfig", json!({ "FunctionName": "thumbnails:1", "AuthType": "NONE" })).await;
    assert_eq!(told.0, "ValidationException");
    house.ok("DeleteFunctionUrlConfig", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(house.refused("GetFunctionUrlConfig", json!({ "FunctionName": "thumbnails" })).await.1, 404);
    let name = house.lambda.platform.store.read::<crate::url::UrlName>(&store::Scope::system(), &[id]).await.unwrap();
    assert!(name.is_none());
    let told = house.refused("CreateFunctionUrlConfig", json!({ "FunctionName": "x", "AuthType": "NONE" })).await;
    assert_eq!(told.2, "Function does not exist");
}

#[tokio::test]
async fn settings_that_bear_on_running_are_kept() {
    let house = House::with_function().await;
    let name = || json!({ "FunctionName": "thumbnails" });
    assert_eq!(house.ok("GetFunctionRecursionConfig", name()).await, json!({ "RecursiveLoop": "Terminate" }));
    house.ok("PutFunctionRecursionConfig", json!({ "FunctionName": "thumbnails", "RecursiveLoop": "Allow" })).await;
    assert_eq!(house.ok("GetFunctionRecursionConfig", name()).await, json!({ "RecursiveLoop": "Allow" }));
    house.ok("Invoke", name()).await;
    assert!(house.invocations()[0].callee.may_recurse);
    let told = house.ok("GetRuntimeManagementConfig", name()).await;
    assert_eq!(told, json!({ "FunctionArn": ARN, "UpdateRuntimeOn": "Auto" }));
    let put = |word: &str| json!({ "FunctionName": "thumbnails", "UpdateRuntimeOn": word });
    house.ok("PutRuntimeManagementConfig", put("FunctionUpdate")).await;
    assert_eq!(house.ok("GetRuntimeManagementConfig", name()).await["UpdateRuntimeOn"], "FunctionUpdate");
    assert_eq!(house.refused("PutRuntimeManagementConfig", put("Manual")).await.0, "NotImplemented");
    let arn = "arn:aws:lambda:us-east-1:123456789012:code-signing-config:csc-0123456789abcdef0";
    let put = json!({ "FunctionName": "thumbnails", "CodeSigningConfigArn": arn });
    let told = house.refused("PutFunctionCodeSigningConfig", put).await;
    assert_eq!((told.0.as_str(), told.1), ("CodeSigningConfigNotFoundException", 404));
    assert_eq!(house.ok("GetFunctionCodeSigningConfig", name()).await["CodeSigningConfigArn"], "");
    house.ok("DeleteFunctionCodeSigningConfig", name()).await;
}
