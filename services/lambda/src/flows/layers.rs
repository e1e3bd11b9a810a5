//! Layers.

use super::*;

async fn publish(house: &House, name: &str, content: &str) -> Value {
    let request =
        json!({ "LayerName": name, "Content": { "ZipFile": zip64(content) }, "CompatibleRuntimes": ["python3.13"] });
    house.ok("PublishLayerVersion", request).await
}

const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:pillow";

#[tokio::test]
async fn a_layer_has_versions_and_no_number_is_given_twice() {
    let house = House::new();
    let first = publish(&house, "pillow", "one").await;
    assert_eq!((&first["LayerArn"], &first["LayerVersionArn"]), (&json!(LAYER), &json!(format!("{LAYER}:1"))));
    assert_eq!((&first["Version"], &first["Description"]), (&json!(1), &json!("")));
    assert!(first["Content"]["Location"].as_str().unwrap().starts_with("http://127.0.0.1:4566/_lambda/code/"));
    publish(&house, "pillow", "two").await;
    publish(&house, "numpy", "one").await;
    let listed = house.ok("ListLayerVersions", json!({ "LayerName": LAYER })).await;
    let numbers: Vec<_> = listed["LayerVersions"].as_array().unwrap().iter().map(|it| &it["Version"]).collect();
    assert_eq!(numbers, [2, 1]);
    let page = house.ok("ListLayerVersions", json!({ "LayerName": "pillow", "MaxItems": 1 })).await;
    let next = json!({ "LayerName": "pillow", "Marker": page["NextMarker"] });
    assert_eq!(house.ok("ListLayerVersions", next).await["LayerVersions"][0]["Version"], 1);
    let layers = house.ok("ListLayers", json!({})).await;
    let names: Vec<_> = layers["Layers"].as_array().unwrap().iter().map(|it| &it["LayerName"]).collect();
    assert_eq!(names, ["numpy", "pillow"]);
    assert_eq!(layers["Layers"][1]["LatestMatchingVersion"]["Version"], 2);
    let other = house.ok("ListLayers", json!({ "CompatibleRuntime": "nodejs24.x" })).await;
    assert_eq!(other["Layers"], json!([]));
    let told = house.refused("ListLayers", json!({ "CompatibleRuntime": "python9" })).await;
    assert_eq!(told.0, "ValidationException");
    house.ok("DeleteLayerVersion", json!({ "LayerName": "pillow", "VersionNumber": 2 })).await;
    house.ok("DeleteLayerVersion", json!({ "LayerName": "pillow", "VersionNumber": 2 })).await;
    let told = house.refused("GetLayerVersion", json!({ "LayerName": "pillow", "VersionNumber": 2 })).await;
    assert_eq!(told.2, "The resource you requested does not exist.");
    let told = house.refused("GetLayerVersion", json!({ "LayerName": "pillow", "VersionNumber": 0 })).await;
    assert_eq!(told.2, "Layer Version Cannot be less than 1");
    assert_eq!(publish(&house, "pillow", "three").await["Version"], 3);
    let by_arn = house.ok("GetLayerVersionByArn", json!({ "Arn": format!("{LAYER}:3") })).await;
    assert_eq!(by_arn["CompatibleRuntimes"], json!(["python3.13"]));
}

#[tokio::test]
async fn a_function_keeps_the_layers_that_it_has() {
    let house = House::new();
    publish(&house, "pillow", "one").await;
    publish(&house, "pillow", "two").await;
    let (one, two) = (format!("{LAYER}:1"), format!("{LAYER}:2"));
    let made = house.ok("CreateFunction", function_with("f", json!({ "Layers": [one] }))).await;
    assert_eq!(made["Layers"], json!([{ "Arn": one, "CodeSize": zip("one").len() }]));
    house.settle().await;
    house.ok("DeleteLayerVersion", json!({ "LayerName": "pillow", "VersionNumber": 1 })).await;
    house.ok("Invoke", json!({ "FunctionName": "f" })).await;
    assert_eq!(house.invocations()[0].callee.configuration.layers.len(), 1);
    let both = function_with("g", json!({ "Layers": [two, format!("{LAYER}:2")] }));
    let told = house.refused("CreateFunction", both).await;
    assert!(told.2.starts_with("Two different versions of the same layer are not allowed"), "{}", told.2);
    let told = house.refused("CreateFunction", function_with("g", json!({ "Layers": [one] }))).await;
    assert_eq!(told.2, format!("Layer version {one} does not exist."));
    let many: Vec<String> = (0..6).map(|n| format!("arn:aws:lambda:us-east-1:123456789012:layer:l{n}:1")).collect();
    let told = house.refused("CreateFunction", function_with("g", json!({ "Layers": many }))).await;
    assert_eq!(told.2, "Cannot reference more than 5 layers.");
    house.ok("UpdateFunctionConfiguration", json!({ "FunctionName": "f", "Layers": [] })).await;
    house.settle().await;
    assert!(house.ok("GetFunctionConfiguration", json!({ "FunctionName": "f" })).await.get("Layers").is_none());
}

#[tokio::test]
async fn another_account_uses_a_layer_that_it_may() {
    let house = House::new();
    publish(&house, "pillow", "one").await;
    let other = house.other_account();
    let get = json!({ "Arn": format!("{LAYER}:1") });
    assert_eq!(other.refused("GetLayerVersionByArn", get.clone()).await.0, "AccessDeniedException");
    let allow = json!({
        "LayerName": "pillow", "VersionNumber": 1, "StatementId": "other", "Action": "lambda:GetLayerVersion",
        "Principal": OTHER,
    });
    let added = house.ok("AddLayerVersionPermission", allow.clone()).await;
    let statement: Value = serde_json::from_str(added["Statement"].as_str().unwrap()).unwrap();
    assert_eq!(statement["Principal"], json!({ "AWS": "arn:aws:iam::999999999999:root" }));
    assert_eq!(house.refused("AddLayerVersionPermission", allow).await.0, "ResourceConflictException");
    other.ok("GetLayerVersionByArn", get.clone()).await;
    let policy = house.ok("GetLayerVersionPolicy", json!({ "LayerName": "pillow", "VersionNumber": 1 })).await;
    assert_eq!(policy["RevisionId"], added["RevisionId"]);
    let stale = json!({ "LayerName": "pillow", "VersionNumber": 1, "StatementId": "other", "RevisionId": "stale" });
    assert_eq!(house.refused("RemoveLayerVersionPermission", stale).await.1, 412);
    let remove = json!({ "LayerName": "pillow", "VersionNumber": 1, "StatementId": "other" });
    house.ok("RemoveLayerVersionPermission", remove).await;
    assert_eq!(other.refused("GetLayerVersionByArn", get).await.0, "AccessDeniedException");
    let told = house.refused("GetLayerVersionPolicy", json!({ "LayerName": "pillow", "VersionNumber": 1 })).await;
    assert_eq!(told.2, "No policy is associated with the given resource.");
    let told = house.refused("GetLayerVersionPolicy", json!({ "LayerName": "pillow", "VersionNumber": 9 })).await;
    assert_eq!(told.2, format!("Layer version {LAYER}:9 does not exist."));
}
