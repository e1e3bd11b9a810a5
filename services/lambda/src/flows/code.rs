//! Where code comes from, and where it is handed out.

use super::*;
use crate::code::location::{self, CodeLocation};

#[tokio::test]
async fn code_comes_from_a_bucket_with_the_callers_rights() {
    let house = House::new();
    let from = |bucket: &str, key: &str| json!({ "Code": { "S3Bucket": bucket, "S3Key": key } });
    let made = house.ok("CreateFunction", function_with("f", from("code", "app.zip"))).await;
    let expected = BASE64.encode(blobs::Digest::of(&zip("from a bucket")).as_bytes());
    assert_eq!((&made["CodeSha256"], &made["CodeSize"]), (&json!(expected), &json!(zip("from a bucket").len())));
    let told = house.refused("CreateFunction", function_with("g", from("code", "missing.zip"))).await;
    let message =
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.";
    assert_eq!(told, ("InvalidParameterValueException".to_owned(), 400, message.to_owned()));
    let told = house.refused("CreateFunction", function_with("g", from("closed", "app.zip"))).await;
    assert_eq!((told.0.as_str(), told.1), ("AccessDeniedException", 403));
    assert!(told.2.contains("permission to GetObject for closed/app.zip. S3 Error Code: AccessDenied."), "{}", told.2);
}

#[tokio::test]
async fn what_is_no_archive_is_refused_and_leaves_nothing() {
    let house = House::new();
    let with = |bytes: &[u8]| function_with("f", json!({ "Code": { "ZipFile": BASE64.encode(bytes) } }));
    let told = house.refused("CreateFunction", with(b"def handler")).await;
    let message = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    assert_eq!(told, ("InvalidParameterValueException".to_owned(), 400, message.to_owned()));
    for empty in [&b""[..], &archive(&[])] {
        let told = house.refused("CreateFunction", with(empty)).await;
        assert_eq!(told.2, "Uploaded file must be a non-empty zip");
    }
    let told = house.refused("CreateFunction", with(&archive(&[file("../escape", b"x")]))).await;
    assert_eq!(told.2, message);
    assert!(house.lambda.code.blobs().list().unwrap().is_empty());
    assert_eq!(house.ok("GetAccountSettings", json!({})).await["AccountUsage"]["FunctionCount"], 0);
}

#[tokio::test]
async fn an_image_of_the_registry_is_a_function() {
    let house = House::new();
    let host = "123456789012.dkr.ecr.us-east-1.amazonaws.com";
    let image =
        |uri: &str| json!({ "FunctionName": "f", "Role": ROLE, "PackageType": "Image", "Code": { "ImageUri": uri } });
    let mut request = image(&format!("{host}/team/app:v1"));
    request["ImageConfig"] = json!({ "Command": ["app.handler"] });
    let made = house.ok("CreateFunction", request).await;
    assert_eq!((&made["PackageType"], &made["CodeSize"]), (&json!("Image"), &json!(0)));
    assert_eq!(made["CodeSha256"], "0a".repeat(32));
    assert_eq!(made["ImageConfigResponse"], json!({ "ImageConfig": { "Command": ["app.handler"] } }));
    let told = house.ok("GetFunction", json!({ "FunctionName": "f" })).await;
    let resolved = format!("{host}/team/app@sha256:{}", "0a".repeat(32));
    let code =
        json!({ "ImageUri": format!("{host}/team/app:v1"), "RepositoryType": "ECR", "ResolvedImageUri": resolved });
    assert_eq!(told["Code"], code);
    for (uri, end) in [
        (format!("{host}/team/app:v2"), "does not exist. Provide a valid source image."),
        ("docker.io/library/nginx:latest".to_owned(), "is not valid. Provide a valid source image."),
        (host.to_owned(), "is not valid. Provide a valid source image."),
    ] {
        let mut request = image(&uri);
        request["FunctionName"] = json!("g");
        let told = house.refused("CreateFunction", request).await;
        assert_eq!((told.0.as_str(), told.2), ("InvalidParameterValueException", format!("Source image {uri} {end}")));
    }
    let mut with_runtime = image(&format!("{host}/team/app:v1"));
    with_runtime["FunctionName"] = json!("g");
    with_runtime["Runtime"] = json!("python3.13");
    let told = house.refused("CreateFunction", with_runtime).await;
    assert!(told.2.starts_with("Please don't provide Handler or Runtime or Layer"), "{}", told.2);
    house.settle().await;
    let told = house.refused("UpdateFunctionCode", json!({ "FunctionName": "f", "ZipFile": zip64("x") })).await;
    assert_eq!(told.2, "Please provide ImageUri when updating a function with packageType Image.");
    house.ok("UpdateFunctionCode", json!({ "FunctionName": "f", "ImageUri": format!("{host}/team/app:v1") })).await;
    house.settle().await;
    let told = house.ok("GetFunctionConfiguration", json!({ "FunctionName": "f" })).await;
    assert_eq!(told["ImageConfigResponse"]["ImageConfig"]["Command"], json!(["app.handler"]));
}

#[tokio::test]
async fn code_is_handed_out_at_an_address_for_ten_minutes() {
    let house = House::with_function().await;
    let told = house.ok("GetFunction", json!({ "FunctionName": "thumbnails" })).await;
    assert_eq!(told["Code"]["RepositoryType"], "S3");
    let address = told["Code"]["Location"].as_str().unwrap();
    let path = address.strip_prefix("http://127.0.0.1:4566").unwrap();
    let opened = CodeLocation::open(&house.lambda.platform, path).unwrap();
    let content = location::content(&house.lambda, &opened).await.unwrap();
    assert_eq!(content.into_reader().read_to_end(1 << 20).await.unwrap(), zip("one"));
    house.advance(600);
    assert_eq!(CodeLocation::open(&house.lambda.platform, path), None);
}

#[tokio::test]
async fn code_counts_against_the_accounts_quota() {
    let house = House::with_function().await;
    let used =
        async || house.ok("GetAccountSettings", json!({})).await["AccountUsage"]["TotalCodeSize"].as_u64().unwrap();
    let (one, two) = (zip("one").len() as u64, zip("a longer one").len() as u64);
    assert_eq!(used().await, one);
    house.ok("PublishVersion", json!({ "FunctionName": ARN })).await;
    assert_eq!(used().await, 2 * one);
    house.ok("UpdateFunctionCode", json!({ "FunctionName": ARN, "ZipFile": zip64("a longer one") })).await;
    assert_eq!(used().await, one + two);
    house.ok("PublishLayerVersion", json!({ "LayerName": "l", "Content": { "ZipFile": zip64("one") } })).await;
    assert_eq!(used().await, 2 * one + two);
    // Another account has its own.
    assert_eq!(house.other_account().ok("GetAccountSettings", json!({})).await["AccountUsage"]["TotalCodeSize"], 0);
    // Another one who has used up all has no room for more.
    let full = crate::usage::Usage { code_bytes: crate::limits::CODE_BYTES_MAX, ..Default::default() };
    let scope = store::Scope::new(OTHER.parse().unwrap(), Region::default());
    let mut tx = store::Tx::new();
    tx.insert(&scope, &["usage"], &full);
    house.lambda.platform.store.commit(tx).await.unwrap();
    let layer = json!({ "LayerName": "l", "Content": { "ZipFile": zip64("one") } });
    let told = house.other_account().refused("PublishLayerVersion", layer).await;
    assert_eq!(told, ("CodeStorageExceededException".to_owned(), 400, "Code storage limit exceeded.".to_owned()));
}
