//! Aliases and weights.

use super::*;

async fn with_versions() -> House {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.ok("UpdateFunctionCode", json!({ "FunctionName": "thumbnails", "ZipFile": zip64("two") })).await;
    house.settle().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    house.settle().await;
    house
}

#[tokio::test]
async fn an_alias_leads_to_a_version_and_can_lead_elsewhere() {
    let house = with_versions().await;
    let create = json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1", "Description": "d" });
    let made = house.ok("CreateAlias", create.clone()).await;
    let expected = json!({
        "AliasArn": format!("{ARN}:live"),
        "Description": "d",
        "FunctionVersion": "1",
        "Name": "live",
        "RevisionId": made["RevisionId"],
    });
    assert_eq!(made, expected);
    let told = house.refused("CreateAlias", create).await;
    assert_eq!(told, ("ResourceConflictException".to_owned(), 409, format!("Alias already exists: {ARN}:live")));
    house.ok("Invoke", json!({ "FunctionName": "thumbnails:live" })).await;
    let called = house.invocations().remove(0).callee;
    assert_eq!((called.version.as_str(), called.invoked_arn), ("1", format!("{ARN}:live")));
    let update = json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "2" });
    let changed = house.ok("UpdateAlias", update).await;
    assert_eq!((&changed["FunctionVersion"], &changed["Description"]), (&json!("2"), &json!("d")));
    assert_ne!(changed["RevisionId"], made["RevisionId"]);
    let stale = json!({ "FunctionName": "thumbnails", "Name": "live", "RevisionId": made["RevisionId"] });
    assert_eq!(house.refused("UpdateAlias", stale).await.1, 412);
    let get = house.ok("GetFunction", json!({ "FunctionName": "thumbnails:live" })).await;
    assert_eq!(get["Configuration"]["FunctionArn"], format!("{ARN}:live"));
    assert_eq!(get["Configuration"]["Version"], "2");
    house.ok("DeleteAlias", json!({ "FunctionName": "thumbnails", "Name": "live" })).await;
    house.ok("DeleteAlias", json!({ "FunctionName": "thumbnails", "Name": "live" })).await;
    let told = house.refused("GetAlias", json!({ "FunctionName": "thumbnails", "Name": "live" })).await;
    assert_eq!(told, ("ResourceNotFoundException".to_owned(), 404, format!("Cannot find alias arn: {ARN}:live")));
}

#[tokio::test]
async fn two_versions_share_the_calls_of_an_alias() {
    let house = with_versions().await;
    let weights = |weights: Value| json!({ "AdditionalVersionWeights": weights });
    let create = |routing: Value| json!({ "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1", "RoutingConfig": routing });
    for (wrong, code) in [
        (json!({ "2": 1.5 }), "ValidationException"),
        (json!({ "x": 0.5 }), "ValidationException"),
        (json!({ "1": 0.5 }), "InvalidParameterValueException"),
        (json!({ "2": 0.5, "3": 0.1 }), "InvalidParameterValueException"),
        (json!({ "9": 0.5 }), "ResourceNotFoundException"),
    ] {
        assert_eq!(house.refused("CreateAlias", create(weights(wrong.clone()))).await.0, code, "{wrong}");
    }
    let made = house.ok("CreateAlias", create(weights(json!({ "2": 0.25 })))).await;
    assert_eq!(made["RoutingConfig"], weights(json!({ "2": 0.25 })));
    for _ in 0..400 {
        house.ok("Invoke", json!({ "FunctionName": "thumbnails:live" })).await;
    }
    let second = house.invocations().iter().filter(|it| it.callee.version == "2").count();
    // The randomness is fixed; four standard deviations around a quarter.
    assert!((65..=135).contains(&second), "{second}");
    let rest = json!({ "FunctionName": "thumbnails", "Name": "live", "RoutingConfig": {} });
    assert!(house.ok("UpdateAlias", rest).await.get("RoutingConfig").is_none());
}

#[tokio::test]
async fn aliases_are_listed_by_name_all_or_those_of_a_version() {
    let house = with_versions().await;
    for (name, version) in [("b", "1"), ("a", "2"), ("c", "1")] {
        house.ok("CreateAlias", json!({ "FunctionName": ARN, "Name": name, "FunctionVersion": version })).await;
    }
    let names = |page: &Value| -> Vec<String> {
        page["Aliases"].as_array().unwrap().iter().map(|it| it["Name"].as_str().unwrap().to_owned()).collect()
    };
    let first = house.ok("ListAliases", json!({ "FunctionName": ARN, "MaxItems": 2 })).await;
    assert_eq!(names(&first), ["a", "b"]);
    let second = house.ok("ListAliases", json!({ "FunctionName": ARN, "Marker": first["NextMarker"] })).await;
    assert_eq!(names(&second), ["c"]);
    let one = house.ok("ListAliases", json!({ "FunctionName": ARN, "FunctionVersion": "1" })).await;
    assert_eq!(names(&one), ["b", "c"]);
    let wrong = json!({ "FunctionName": ARN, "Name": "12", "FunctionVersion": "1" });
    assert_eq!(house.refused("CreateAlias", wrong).await.0, "ValidationException", "a number is no alias");
}
