//! Functions: created, read, changed, published, listed, deleted.

use super::*;

#[tokio::test]
async fn a_function_is_pending_until_it_is_ready_and_then_active() {
    let house = House::new();
    let created = house.create("thumbnails").await;
    let expected = json!({
        "Architectures": ["x86_64"],
        "CodeSha256": created["CodeSha256"],
        "CodeSize": zip("one").len(),
        "Description": "",
        "EphemeralStorage": { "Size": 512 },
        "FunctionArn": ARN,
        "FunctionName": "thumbnails",
        "Handler": "index.handler",
        "LastModified": "2026-01-01T00:00:00.000+0000",
        "LoggingConfig": { "LogFormat": "Text", "LogGroup": "/aws/lambda/thumbnails" },
        "MemorySize": 128,
        "PackageType": "Zip",
        "RevisionId": created["RevisionId"],
        "Role": ROLE,
        "Runtime": "python3.13",
        "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "Timeout": 3,
        "TracingConfig": { "Mode": "PassThrough" },
        "Version": "$LATEST",
    });
    assert_eq!(created, expected);
    let pending = house.refused("Invoke", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!((pending.0.as_str(), pending.1), ("ResourceConflictException", 409));
    assert!(pending.2.ends_with("The function is currently in the following state: Pending"));
    house.settle().await;
    let ready = house.ok("GetFunctionConfiguration", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!((&ready["State"], &ready["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));
    assert_eq!(ready["RevisionId"], created["RevisionId"], "getting ready is no change of the function");
    assert_eq!(house.stage.prepared.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_function_that_cannot_be_made_ready_says_why() {
    let house = House::new();
    let failure = |is_passing| NotPrepared {
        code: "InvalidZipFileException".to_owned(),
        reason: "the node has no room".to_owned(),
        is_passing,
    };
    *house.stage.unprepared.lock().unwrap() = Some(failure(false));
    house.create("thumbnails").await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    assert_eq!(
        (&told["State"], &told["StateReasonCode"], &told["StateReason"]),
        (&json!("Failed"), &json!("InvalidZipFileException"), &json!("the node has no room"))
    );
    assert_eq!(house.refused("Invoke", json!({ "FunctionName": ARN })).await.0, "ResourceConflictException");
    // Other code may be better.
    *house.stage.unprepared.lock().unwrap() = None;
    house.ok("UpdateFunctionCode", json!({ "FunctionName": ARN, "ZipFile": zip64("two") })).await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    assert_eq!((&told["State"], &told["LastUpdateStatus"]), (&json!("Active"), &json!("Successful")));

    // What passes by itself is tried again.
    let house = House::new();
    *house.stage.unprepared.lock().unwrap() = Some(failure(true));
    house.create("thumbnails").await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    assert_eq!(told["State"], "Pending");
    *house.stage.unprepared.lock().unwrap() = None;
    house.advance(60);
    house.settle().await;
    assert_eq!(house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await["State"], "Active");
}

#[tokio::test]
async fn what_a_function_was_is_called_until_what_it_is_now_is_ready() {
    let house = House::with_function().await;
    let before = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    let change = json!({ "FunctionName": "thumbnails", "ZipFile": zip64("two") });
    let changed = house.ok("UpdateFunctionCode", change.clone()).await;
    assert_eq!((&changed["LastUpdateStatus"], &changed["State"]), (&json!("InProgress"), &json!("Active")));
    assert_ne!(changed["CodeSha256"], before["CodeSha256"]);
    assert_ne!(changed["RevisionId"], before["RevisionId"]);
    let told = house.refused("UpdateFunctionCode", change).await;
    let message =
        format!("The operation cannot be performed at this time. An update is in progress for resource: {ARN}");
    assert_eq!(told, ("ResourceConflictException".to_owned(), 409, message));
    house.ok("Invoke", json!({ "FunctionName": ARN })).await;
    let called = house.invocations()[0].callee.configuration.package.code_sha256();
    assert_eq!(called, before["CodeSha256"]);
    house.settle().await;
    house.ok("Invoke", json!({ "FunctionName": ARN })).await;
    assert_eq!(house.invocations()[0].callee.configuration.package.code_sha256(), changed["CodeSha256"]);

    // A change that cannot be made ready is not called.
    let reason = NotPrepared { code: "InvalidImage".to_owned(), reason: "no".to_owned(), is_passing: false };
    *house.stage.unprepared.lock().unwrap() = Some(reason);
    house.ok("UpdateFunctionCode", json!({ "FunctionName": ARN, "ZipFile": zip64("three") })).await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    assert_eq!((&told["LastUpdateStatus"], &told["State"]), (&json!("Failed"), &json!("Active")));
    house.ok("Invoke", json!({ "FunctionName": ARN })).await;
    assert_eq!(house.invocations()[0].callee.configuration.package.code_sha256(), changed["CodeSha256"]);
}

#[tokio::test]
async fn what_is_said_of_a_function_changes_and_what_is_not_said_stays() {
    let house = House::with_function().await;
    let request = json!({
        "FunctionName": "thumbnails",
        "Timeout": 30,
        "MemorySize": 512,
        "Environment": { "Variables": { "BUCKET": "photos" } },
        "EphemeralStorage": { "Size": 1024 },
        "LoggingConfig": { "LogFormat": "JSON", "SystemLogLevel": "WARN" },
        "TracingConfig": { "Mode": "Active" },
        "Description": "Makes thumbnails",
    });
    house.ok("UpdateFunctionConfiguration", request).await;
    house.settle().await;
    house.ok("UpdateFunctionConfiguration", json!({ "FunctionName": "thumbnails", "Timeout": 31 })).await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!((&told["Timeout"], &told["MemorySize"]), (&json!(31), &json!(512)));
    assert_eq!(told["Environment"], json!({ "Variables": { "BUCKET": "photos" } }));
    let logging = json!({
        "ApplicationLogLevel": "INFO", "LogFormat": "JSON", "LogGroup": "/aws/lambda/thumbnails", "SystemLogLevel": "WARN",
    });
    assert_eq!(told["LoggingConfig"], logging);
    assert_eq!((&told["TracingConfig"]["Mode"], &told["EphemeralStorage"]["Size"]), (&json!("Active"), &json!(1024)));
    let stale = json!({ "FunctionName": "thumbnails", "Timeout": 5, "RevisionId": "stale" });
    let told = house.refused("UpdateFunctionConfiguration", stale).await;
    assert_eq!((told.0.as_str(), told.1), ("PreconditionFailedException", 412));
    assert!(told.2.starts_with("The Revision Id provided does not match the latest Revision Id."));
}

#[tokio::test]
async fn what_is_wrong_with_a_function_is_told_in_awss_words() {
    let house = House::new();
    let long = "x".repeat(65);
    for (changes, code, text) in [
        (json!({ "Runtime": "python9" }), "InvalidParameterValueException", "Value python9 at 'runtime' failed"),
        (json!({ "Runtime": null }), "InvalidParameterValueException", "Runtime and Handler are mandatory parameters"),
        (
            json!({ "Role": "arn:aws:iam::123456789012:role/other" }),
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
        (json!({ "FunctionName": long }), "InvalidParameterValueException", "1 validation error detected: Value 'xxx"),
        (json!({ "Timeout": 901 }), "InvalidParameterValueException", "'Timeout' value failed"),
        (json!({ "Timeout": 5401 }), "ValidationException", "1 validation error detected: Value '5401' at 'timeout'"),
        (
            json!({ "MemorySize": 127 }),
            "ValidationException",
            "1 validation error detected: Value '127' at 'memorySize'",
        ),
        (json!({ "Role": "nobody" }), "ValidationException", "1 validation error detected: Value 'nobody' at 'role'"),
        (
            json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } }),
            "InvalidParameterValueException",
            "Lambda was unable to configure your environment variables because",
        ),
        (
            json!({ "Architectures": ["arm64"] }),
            "InvalidParameterValueException",
            "No machine of this installation runs",
        ),
        (
            json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] } }),
            "NotImplemented",
            "Pilvi does not serve functions in a network of one's own",
        ),
        (
            json!({ "DeadLetterConfig": { "TargetArn": "arn:aws:sqs:us-east-1:123456789012:q" } }),
            "NotImplemented",
            "Pilvi does not serve dead-letter queues",
        ),
        (json!({ "Code": {} }), "InvalidParameterValueException", "Please provide a source for function code."),
    ] {
        let told = house.refused("CreateFunction", function_with("thumbnails", changes.clone())).await;
        assert_eq!(told.0, code, "{changes}: {}", told.2);
        assert!(told.2.starts_with(text), "{changes}: {}", told.2);
    }
    house.create("thumbnails").await;
    let told = house.refused("CreateFunction", function("thumbnails")).await;
    assert_eq!(told, ("ResourceConflictException".to_owned(), 409, "Function already exist: thumbnails".to_owned()));
    let told = house.refused("GetFunction", json!({ "FunctionName": "nothing" })).await;
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:nothing";
    assert_eq!(told, ("ResourceNotFoundException".to_owned(), 404, format!("Function not found: {arn}")));
    let told = house.refused("GetFunction", json!({ "FunctionName": "thumbnails", "Qualifier": "7" })).await;
    assert_eq!(told.2, format!("Function not found: {ARN}:7"));
}

#[tokio::test]
async fn a_runtime_that_nobody_has_is_told_with_how_to_supply_it() {
    let house = House::with(Settings::default(), &["nodejs24.x"]);
    let told = house.refused("CreateFunction", function_with("f", json!({ "Runtime": "nodejs24.x" }))).await;
    assert_eq!(told.0, "InvalidParameterValueException");
    assert!(told.2.contains("`pilvi runtime add nodejs24.x --image REF`"), "{}", told.2);
    let house = House::with(Settings { refuses_retired_runtimes: true, ..Settings::default() }, &[]);
    let told = house.refused("CreateFunction", function_with("f", json!({ "Runtime": "python3.8" }))).await;
    assert!(told.2.starts_with("The runtime parameter of python3.8 is no longer supported"), "{}", told.2);
    House::new().ok("CreateFunction", function_with("f", json!({ "Runtime": "python3.8" }))).await;
}

#[tokio::test]
async fn a_version_is_published_once_for_each_change() {
    let house = House::with_function().await;
    let first = house.ok("PublishVersion", json!({ "FunctionName": "thumbnails", "Description": "first" })).await;
    assert_eq!(
        (&first["Version"], &first["Description"], &first["State"]),
        (&json!("1"), &json!("first"), &json!("Pending"))
    );
    assert_eq!(first["FunctionArn"], format!("{ARN}:1"));
    let again = house.ok("PublishVersion", json!({ "FunctionName": "thumbnails", "Description": "again" })).await;
    assert_eq!((&again["Version"], &again["Description"]), (&json!("1"), &json!("first")));
    house.settle().await;
    house.ok("UpdateFunctionCode", json!({ "FunctionName": "thumbnails", "ZipFile": zip64("two") })).await;
    house.settle().await;
    let told = house.refused("PublishVersion", json!({ "FunctionName": ARN, "CodeSha256": "x" })).await;
    assert!(told.2.starts_with("CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ("), "{}", told.2);
    let second = house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!((&second["Version"], &second["Description"]), (&json!("2"), &json!("")));
    house.settle().await;
    let one = house.ok("GetFunctionConfiguration", json!({ "FunctionName": "thumbnails:1" })).await;
    assert_eq!((&one["CodeSha256"], &one["State"]), (&first["CodeSha256"], &json!("Active")));
    let listed = house.ok("ListVersionsByFunction", json!({ "FunctionName": "thumbnails", "MaxItems": 2 })).await;
    assert_eq!(versions_of(&listed["Versions"]), ["$LATEST", "1"]);
    assert_eq!(listed["Versions"][0]["FunctionArn"], format!("{ARN}:$LATEST"));
    assert!(listed["Versions"][0].get("State").is_none());
    let more = json!({ "FunctionName": "thumbnails", "Marker": listed["NextMarker"] });
    let more = house.ok("ListVersionsByFunction", more).await;
    assert_eq!((versions_of(&more["Versions"]), more.get("NextMarker")), (vec!["2"], None));
    // What is published with a change is that change.
    let update = json!({ "FunctionName": "thumbnails", "ZipFile": zip64("three"), "Publish": true });
    let third = house.ok("UpdateFunctionCode", update).await;
    assert_eq!(third["Version"], "3");
    house.settle().await;
    let same = json!({ "FunctionName": "thumbnails", "ZipFile": zip64("three"), "Publish": true });
    assert_eq!(house.ok("UpdateFunctionCode", same).await["Version"], "3");
}

fn versions_of(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["Version"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let house = House::with_function().await;
    let before = house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await;
    let dry = json!({ "FunctionName": ARN, "ZipFile": zip64("two"), "DryRun": true, "Publish": true });
    let told = house.ok("UpdateFunctionCode", dry).await;
    assert_ne!(told["CodeSha256"], before["CodeSha256"]);
    assert_eq!(house.ok("GetFunctionConfiguration", json!({ "FunctionName": ARN })).await, before);
}

#[tokio::test]
async fn functions_are_listed_page_by_page_with_or_without_their_versions() {
    let house = House::new();
    for name in ["a", "b", "c"] {
        house.ok("CreateFunction", function_with(name, json!({ "Publish": true }))).await;
    }
    let list = async |request: Value| {
        let (mut found, mut marker) = (Vec::new(), Value::Null);
        loop {
            let mut request = request.clone();
            if !marker.is_null() {
                request["Marker"] = marker;
            }
            let page = house.ok("ListFunctions", request).await;
            let items = page["Functions"].as_array().unwrap();
            found.extend(items.iter().map(|it| format!("{}:{}", it["FunctionName"], it["Version"]).replace('"', "")));
            marker = page["NextMarker"].clone();
            if marker.is_null() {
                return found;
            }
        }
    };
    for size in [1, 2, 3, 50] {
        assert_eq!(list(json!({ "MaxItems": size })).await, ["a:$LATEST", "b:$LATEST", "c:$LATEST"], "{size}");
        let all = list(json!({ "MaxItems": size, "FunctionVersion": "ALL" })).await;
        assert_eq!(all, ["a:$LATEST", "a:1", "b:$LATEST", "b:1", "c:$LATEST", "c:1"], "{size}");
    }
    let told = house.refused("ListFunctions", json!({ "Marker": "nonsense" })).await;
    assert_eq!(told.0, "InvalidParameterValueException");
}

#[tokio::test]
async fn a_deleted_function_leaves_nothing_and_one_made_again_shares_nothing_with_it() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.ok("CreateAlias", json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1" })).await;
    house
        .ok("CreateFunctionUrlConfig", json!({ "FunctionName": "thumbnails", "Qualifier": "live", "AuthType": "NONE" }))
        .await;
    house
        .ok("PutFunctionConcurrency", json!({ "FunctionName": "thumbnails", "ReservedConcurrentExecutions": 9 }))
        .await;
    let told = house.refused("DeleteFunction", json!({ "FunctionName": "thumbnails", "Qualifier": "$LATEST" })).await;
    assert_eq!(told.2, "$LATEST version cannot be deleted without deleting the function.");
    let told = house.refused("DeleteFunction", json!({ "FunctionName": "thumbnails", "Qualifier": "1" })).await;
    assert_eq!(told.0, "ResourceConflictException", "the alias leads there");
    house.ok("DeleteFunction", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(house.refused("GetFunction", json!({ "FunctionName": "thumbnails" })).await.1, 404);
    assert_eq!(house.refused("DeleteFunction", json!({ "FunctionName": "thumbnails" })).await.1, 404);
    house.create("thumbnails").await;
    assert_eq!(house.refused("GetAlias", json!({ "FunctionName": "thumbnails", "Name": "live" })).await.1, 404);
    house.ok("DeleteFunction", json!({ "FunctionName": "thumbnails" })).await;
    house.settle().await;
    let usage = house.ok("GetAccountSettings", json!({})).await;
    assert_eq!(usage["AccountUsage"], json!({ "FunctionCount": 0, "TotalCodeSize": 0 }));
    assert_eq!(usage["AccountLimit"]["UnreservedConcurrentExecutions"], 1000);
    let left = house.lambda.platform.store.range(store::Range::prefix(&store::Key::root())).await.unwrap();
    let left: Vec<String> = left.entries.iter().map(|entry| entry.key.to_string()).collect();
    assert_eq!(left.len(), 1, "nothing but what is used up: {left:?}");
}

#[tokio::test]
async fn one_version_is_deleted_by_its_number() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.ok("DeleteFunction", json!({ "FunctionName": "thumbnails:1" })).await;
    assert_eq!(house.refused("GetFunction", json!({ "FunctionName": "thumbnails:1" })).await.1, 404);
    house.ok("DeleteFunction", json!({ "FunctionName": "thumbnails:1" })).await;
    let size = zip("one").len();
    assert_eq!(house.ok("GetAccountSettings", json!({})).await["AccountUsage"]["TotalCodeSize"], size);
    // Its number is not given again.
    assert_eq!(house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await["Version"], "2");
}

#[tokio::test]
async fn an_environment_is_stored_sealed() {
    let house = House::new();
    let variables = json!({ "Environment": { "Variables": { "TOKEN": "a very secret text" } } });
    house.ok("CreateFunction", function_with("f", variables)).await;
    let all = house.lambda.platform.store.range(store::Range::prefix(&store::Key::root())).await.unwrap();
    for entry in all.entries {
        assert!(!String::from_utf8_lossy(&entry.value).contains("secret"), "{}", entry.key);
    }
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": "f" })).await;
    assert_eq!(told["Environment"]["Variables"]["TOKEN"], "a very secret text");
}

#[tokio::test]
async fn of_many_who_create_one_function_one_succeeds() {
    let house = House::new();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let house = house.clone();
            tokio::spawn(async move { house.call("CreateFunction", function("f")).await.is_ok() })
        })
        .collect();
    let mut made = 0;
    for caller in callers {
        made += usize::from(caller.await.unwrap());
    }
    assert_eq!(made, 1);
    assert_eq!(house.ok("GetAccountSettings", json!({})).await["AccountUsage"]["FunctionCount"], 1);
}
