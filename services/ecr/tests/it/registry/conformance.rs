//! Every case of the OCI's public conformance suite, by the name that it has there.
//!
//! [`pull`], [`push`], [`discovery`] and [`management`] are the suite of Distribution 1.1.1. There, cases follow each other
//! and share what they find; here, each makes what it needs. [`apis`] and [`data`] are the cases of the suite that came
//! after it, which tells the parts of the API from the kinds of content.

mod apis;
mod data;
mod discovery;
mod management;
mod pull;
mod push;

use super::*;

/// The repository that the cases use, and the one that blobs are mounted to.
const NAME: &str = "conformance/one";
const OTHER_NAME: &str = "conformance/two";

/// A client with both repositories, whose account lets blobs be mounted.
async fn client() -> client::Client {
    let client = client::Client::new();
    client.api.repository(NAME).await;
    client.api.repository(OTHER_NAME).await;
    let setting = json!({"name": "BLOB_MOUNTING", "value": "ENABLED"});
    client.api.ok("PutAccountSetting", setting).await;
    client
}

/// A digest that nothing has.
fn dummy_digest() -> String {
    digest_of(b"hello world")
}

fn blob_path(digest: &str) -> String {
    format!("/v2/{NAME}/blobs/{digest}")
}

fn manifest_path(reference: &str) -> String {
    format!("/v2/{NAME}/manifests/{reference}")
}

fn referrers_path(digest: &str) -> String {
    format!("/v2/{NAME}/referrers/{digest}")
}

fn tags_path() -> String {
    format!("/v2/{NAME}/tags/list")
}
