//! `aws s3api`: families of calls, as they follow each other in scripts.

use std::fs;

use serde_json::{Value, json};
use tests::Server;

use super::{MIB, Shop};
use crate::s3_flow::by_hand::content;

impl Shop {
    /// `aws s3api … --bucket <bucket>`.
    #[track_caller]
    fn api(&self, operation: &str, arguments: &[&str]) -> Value {
        self.aws.call(&[&["s3api", operation, "--bucket", &self.bucket], arguments].concat())
    }

    /// The code of the error with which such a call is refused.
    #[track_caller]
    fn code(&self, operation: &str, arguments: &[&str]) -> String {
        self.aws.refused(&[&["s3api", operation, "--bucket", &self.bucket], arguments].concat()).code
    }
}

#[test]
fn objects_are_put_told_of_ranged_copied_and_deleted_in_batches() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let data = content(1, 100_000);
    let file = shop.write("there", &data).display().to_string();
    let put = shop.api("put-object", &["--key", "one", "--body", &file, "--content-type", "a/b", "--tagging", "x=1"]);
    assert_eq!((&put["ChecksumType"], put["ChecksumCRC64NVME"].is_string()), (&"FULL_OBJECT".into(), true), "{put}");
    shop.aws.call(&["s3api", "wait", "object-exists", "--bucket", &shop.bucket, "--key", "one"]);
    let into = shop.path("back");
    let got = shop.api("get-object", &["--key", "one", "--range", "bytes=10-19", &into]);
    assert_eq!((&got["ContentRange"], &got["TagCount"]), (&"bytes 10-19/100000".into(), &1.into()));
    assert!(fs::read(&into).unwrap() == data[10..20]);
    let etag = put["ETag"].as_str().unwrap();
    assert_eq!(shop.code("get-object", &["--key", "one", "--if-none-match", etag, &into]), "304");
    assert_eq!(shop.code("put-object", &["--key", "one", "--if-none-match", "*"]), "PreconditionFailed");
    let source = format!("{}/one", shop.bucket);
    let copied = shop.api("copy-object", &["--key", "two", "--copy-source", &source]);
    assert_eq!(copied["CopyObjectResult"]["ETag"], put["ETag"]);
    let attributes = ["ETag", "ObjectSize", "Checksum"];
    let told = shop.api("get-object-attributes", &[&["--key", "two", "--object-attributes"], &attributes[..]].concat());
    assert_eq!((&told["ObjectSize"], told["ETag"].as_str()), (&100_000.into(), Some(etag.trim_matches('"'))));
    let listed = shop.api("list-objects-v2", &["--page-size", "1", "--query", "Contents[].[Key, Size]"]);
    assert_eq!(listed, json!([["one", 100_000], ["two", 100_000]]));
    let first = shop.api("list-objects", &["--max-items", "1"]);
    let rest = shop.api("list-objects", &["--starting-token", first["NextToken"].as_str().unwrap()]);
    assert_eq!(rest["Contents"][0]["Key"], "two");
    let objects = json!({ "Objects": [{ "Key": "one" }, { "Key": "two" }, { "Key": "never" }] }).to_string();
    let deleted = shop.api("delete-objects", &["--delete", &objects]);
    assert_eq!(deleted["Deleted"].as_array().map(Vec::len), Some(3), "{deleted}");
    shop.aws.call(&["s3api", "wait", "object-not-exists", "--bucket", &shop.bucket, "--key", "one"]);
    assert_eq!(shop.code("get-object", &["--key", "one", &into]), "NoSuchKey");
}

#[test]
fn versions_are_kept_listed_brought_back_and_removed() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    shop.api("put-bucket-versioning", &["--versioning-configuration", "Status=Enabled"]);
    let put = |text: &str| {
        let file = shop.write("version", text.as_bytes()).display().to_string();
        shop.api("put-object", &["--key", "note", "--body", &file])["VersionId"].as_str().unwrap().to_owned()
    };
    let (first, second) = (put("first"), put("second"));
    let marker = shop.api("delete-object", &["--key", "note"]);
    assert_eq!(marker["DeleteMarker"], true);
    assert_eq!(shop.code("head-object", &["--key", "note"]), "404");
    let query = "[Versions[].VersionId, DeleteMarkers[].[VersionId, IsLatest]]";
    let listed = shop.api("list-object-versions", &["--query", query]);
    assert_eq!(listed, json!([[second, first], [[marker["VersionId"], true]]]));
    // An old version is brought back as a copy of itself.
    let source = format!("{}/note?versionId={first}", shop.bucket);
    let copied = shop.api("copy-object", &["--key", "note", "--copy-source", &source]);
    assert_eq!(copied["CopySourceVersionId"], json!(first));
    let into = shop.path("back");
    shop.api("get-object", &["--key", "note", &into]);
    assert_eq!(fs::read_to_string(&into).unwrap(), "first");
    shop.api("get-object", &["--key", "note", "--version-id", &second, &into]);
    assert_eq!(fs::read_to_string(&into).unwrap(), "second");
    shop.api("delete-object", &["--key", "note", "--version-id", &second]);
    assert_eq!(shop.code("get-object", &["--key", "note", "--version-id", &second, &into]), "NoSuchVersion");
    assert_eq!(shop.code("delete-bucket", &[]), "BucketNotEmpty");
}

#[test]
fn an_upload_goes_on_in_parts_until_it_is_complete_or_given_up() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let begun = shop.api("create-multipart-upload", &["--key", "large", "--checksum-algorithm", "CRC32C"]);
    let id = begun["UploadId"].as_str().unwrap();
    let data = content(1, 5 * MIB + 10);
    let mut parts = Vec::new();
    for (number, bytes) in [("1", &data[..5 * MIB]), ("2", &data[5 * MIB..])] {
        let file = shop.write("part", bytes).display().to_string();
        let of = ["--key", "large", "--upload-id", id, "--part-number", number, "--checksum-algorithm", "CRC32C"];
        let sent = shop.api("upload-part", &[&of[..], &["--body", &file]].concat());
        let number: i64 = number.parse().unwrap();
        parts.push(json!({ "PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32C": sent["ChecksumCRC32C"] }));
    }
    assert_eq!(shop.api("list-multipart-uploads", &[])["Uploads"][0]["UploadId"], id);
    let query = "Parts[].Size";
    let listed = shop.api("list-parts", &["--key", "large", "--upload-id", id, "--page-size", "1", "--query", query]);
    assert_eq!(listed, json!([5 * MIB, 10]));
    let chosen = json!({ "Parts": parts }).to_string();
    let of = ["--key", "large", "--upload-id", id];
    let done = shop.api("complete-multipart-upload", &[&of[..], &["--multipart-upload", &chosen]].concat());
    assert!(done["ChecksumCRC32C"].as_str().unwrap().ends_with("-2"), "{done}");
    let into = shop.path("back");
    shop.api("get-object", &["--key", "large", "--checksum-mode", "ENABLED", &into]);
    assert!(fs::read(&into).unwrap() == data);
    let other = shop.api("create-multipart-upload", &["--key", "none"]);
    let of = ["--key", "none", "--upload-id", other["UploadId"].as_str().unwrap()];
    shop.api("abort-multipart-upload", &of);
    assert_eq!(shop.code("list-parts", &of), "NoSuchUpload");
}

#[test]
fn what_is_said_of_a_bucket_is_answered_as_it_was_said() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let rules = json!({ "CORSRules": [{ "AllowedMethods": ["GET"], "AllowedOrigins": ["*"] }] });
    shop.api("put-bucket-cors", &["--cors-configuration", &rules.to_string()]);
    assert_eq!(shop.api("get-bucket-cors", &[]), rules);
    let rules = json!({ "Rules": [{ "ID": "r", "Filter": { "Prefix": "log/" }, "Status": "Enabled", "Expiration": { "Days": 1 } }] });
    shop.api("put-bucket-lifecycle-configuration", &["--lifecycle-configuration", &rules.to_string()]);
    assert_eq!(shop.api("get-bucket-lifecycle-configuration", &[])["Rules"], rules["Rules"]);
    let tags = json!({ "TagSet": [{ "Key": "team", "Value": "shop" }] });
    shop.api("put-bucket-tagging", &["--tagging", &tags.to_string()]);
    assert_eq!(shop.api("get-bucket-tagging", &[]), tags);
    let site = json!({ "IndexDocument": { "Suffix": "index.html" }, "ErrorDocument": { "Key": "error.html" } });
    shop.aws
        .run(&["s3", "website", &shop.uri(""), "--index-document", "index.html", "--error-document", "error.html"])
        .success();
    assert_eq!(shop.api("get-bucket-website", &[]), site);
    let statement = json!({
        "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": format!("arn:aws:s3:::{}/*", shop.bucket),
    });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    shop.api("put-bucket-policy", &["--policy", &policy.to_string()]);
    let found = shop.api("get-bucket-policy", &[]);
    assert_eq!(serde_json::from_str::<Value>(found["Policy"].as_str().unwrap()).unwrap(), policy);
    assert_eq!(shop.code("delete-object", &["--key", "any"]), "AccessDenied");
    let block = shop.api("get-public-access-block", &["--query", "PublicAccessBlockConfiguration.BlockPublicPolicy"]);
    assert_eq!(block, true);
    let events = json!({ "EventBridgeConfiguration": {} }).to_string();
    shop.api("put-bucket-notification-configuration", &["--notification-configuration", &events]);
    assert_eq!(
        shop.code("put-bucket-replication", &["--replication-configuration", r#"{"Role":"r","Rules":[]}"#]),
        "NotImplemented"
    );
    let location = shop.api("get-bucket-location", &[]);
    assert_eq!(location["LocationConstraint"], Value::Null);
}
