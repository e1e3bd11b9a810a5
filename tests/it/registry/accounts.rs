//! Who may push and pull what: policies of callers, of repositories, of both where two accounts are concerned.

use serde_json::{Value, json};
use tests::image::Image;
use tests::raw::form;
use tests::registry::Refusal;
use tests::{Account, Api, Registry, Server};
use wire::model::Protocol;
use wire::sigv4::{Credentials, SecretAccessKey};

use super::Shop;

const REPOSITORY: &str = "team/app";
/// What a pull needs at Amazon ECR.
const PULL: [&str; 3] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"];
/// What a push needs beside the check.
const PUSH: [&str; 4] = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];

fn statement(actions: &[&str], more: Value) -> String {
    let mut statement = json!({ "Effect": "Allow", "Action": actions });
    statement.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// A new user with a policy and a key.
#[track_caller]
fn user(server: &Server, account: &Account, name: &str, policy: &str) -> Credentials {
    let mut root = Api::new(server, &account.root);
    let mut iam = |operation: &str, input: &[(&str, &str)]| {
        root.call(&iam::api::MODEL, operation, Protocol::AwsQuery, &form(input)).success()
    };
    iam("CreateUser", &[("UserName", name)]);
    iam("PutUserPolicy", &[("UserName", name), ("PolicyName", "own"), ("PolicyDocument", policy)]);
    let made = iam("CreateAccessKey", &[("UserName", name)]);
    Credentials {
        access_key_id: made.element("AccessKeyId").unwrap(),
        secret_access_key: SecretAccessKey::new(made.element("SecretAccessKey").unwrap().as_str()),
        session_token: None,
    }
}

/// Gives a user another policy.
#[track_caller]
fn allow(server: &Server, account: &Account, name: &str, policy: &str) {
    let input = form(&[("UserName", name), ("PolicyName", "own"), ("PolicyDocument", policy)]);
    let mut root = Api::new(server, &account.root);
    root.call(&iam::api::MODEL, "PutUserPolicy", Protocol::AwsQuery, &input).success();
}

#[track_caller]
fn is_denied(refusal: &Refusal, action: &str) {
    assert_eq!((refusal.status, refusal.code.as_str()), (403, "DENIED"), "{refusal:?}");
    assert!(refusal.message.contains(action), "{action}: {refusal:?}");
}

#[test]
fn another_account_pulls_only_when_both_sides_allow_it() {
    let server = Server::shared();
    let mut owner = Shop::open(&server, &[REPOSITORY]);
    let image = Image::small("shared");
    owner.registry.push(REPOSITORY, "1", &image);
    let guest = server.account();
    let own =
        |actions: &[&str]| statement(&[&["ecr:GetAuthorizationToken"], actions].concat(), json!({ "Resource": "*" }));
    let ann = user(&server, &guest, "ann", &own(&[]));
    let mut ann = Registry::of(&server, &ann).of_account(&owner.account.id);
    let manifest = format!("/v2/{REPOSITORY}/manifests/1");

    is_denied(&ann.get(&manifest).refusal(), "ecr:BatchGetImage");
    // Their side alone.
    allow(&server, &guest, "ann", &own(&PULL));
    is_denied(&ann.get(&manifest).refusal(), "ecr:BatchGetImage");
    // Our side alone.
    allow(&server, &guest, "ann", &own(&[]));
    let principal = json!({ "Principal": { "AWS": format!("arn:aws:iam::{}:root", guest.id) } });
    let input = json!({ "repositoryName": REPOSITORY, "policyText": statement(&PULL, principal) });
    owner.api.ecr("SetRepositoryPolicy", &input);
    is_denied(&ann.get(&manifest).refusal(), "ecr:BatchGetImage");
    // Both.
    allow(&server, &guest, "ann", &own(&PULL));
    assert!(ann.pull(REPOSITORY, "1") == image);
    // What was not allowed here is denied still, whatever they allow themselves.
    allow(&server, &guest, "ann", &own(&["ecr:*"]));
    let begun = ann.with_body("POST", &format!("/v2/{REPOSITORY}/blobs/uploads/"), "application/octet-stream", &[]);
    is_denied(&begun.refusal(), "ecr:InitiateLayerUpload");
    is_denied(&ann.delete(&manifest).refusal(), "ecr:BatchDeleteImage");
    // Their own root is one of them, and no more than that.
    let mut root = Registry::of(&server, &guest.root).of_account(&owner.account.id);
    assert!(root.pull(REPOSITORY, "1") == image);
    // And from the next request on it is over.
    owner.api.ecr("DeleteRepositoryPolicy", &json!({ "repositoryName": REPOSITORY }));
    is_denied(&ann.get(&manifest).refusal(), "ecr:BatchGetImage");
    is_denied(&root.get(&manifest).refusal(), "ecr:BatchGetImage");
    // What is not there cannot be told from what one may not see.
    is_denied(&root.get("/v2/nothing/here/manifests/1").refusal(), "ecr:BatchGetImage");
}

#[test]
fn each_request_asks_for_the_action_of_its_own() {
    let server = Server::shared();
    let mut owner = Shop::open(&server, &[REPOSITORY]);
    let image = Image::small("own");
    owner.registry.push(REPOSITORY, "1", &image);
    let own =
        |actions: &[&str]| statement(&[&["ecr:GetAuthorizationToken"], actions].concat(), json!({ "Resource": "*" }));
    let account = owner.account.clone();
    let puller = user(&server, &account, "puller", &own(&PULL));
    let pusher = user(&server, &account, "pusher", &own(&[PUSH.as_slice(), &PULL].concat()));
    let (mut puller, mut pusher) = (Registry::of(&server, &puller), Registry::of(&server, &pusher));
    assert!(puller.pull(REPOSITORY, "1") == image);
    let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
    let begun = puller.with_body("POST", &uploads, "application/octet-stream", &[]);
    is_denied(&begun.refusal(), "ecr:InitiateLayerUpload");
    is_denied(&puller.put_manifest(REPOSITORY, "2", &image.manifest).refusal(), "ecr:PutImage");
    is_denied(&puller.get(&format!("/v2/{REPOSITORY}/tags/list")).refusal(), "ecr:ListImages");
    pusher.push(REPOSITORY, "2", &Image::small("another"));
    is_denied(&pusher.delete(&format!("/v2/{REPOSITORY}/manifests/2")).refusal(), "ecr:BatchDeleteImage");

    // A policy on the repository takes away what the caller's own gives.
    let deny = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "ecr:GetDownloadUrlForLayer",
    }] });
    owner.api.ecr("SetRepositoryPolicy", &json!({ "repositoryName": REPOSITORY, "policyText": deny.to_string() }));
    puller.get(&format!("/v2/{REPOSITORY}/manifests/1")).with_status(200);
    let blob = format!("/v2/{REPOSITORY}/blobs/{}", image.layers[0].digest());
    is_denied(&puller.get(&blob).refusal(), "ecr:GetDownloadUrlForLayer");
    owner.api.ecr("DeleteRepositoryPolicy", &json!({ "repositoryName": REPOSITORY }));
    puller.get_whole(&blob);
}

#[test]
fn a_key_that_is_gone_takes_its_tokens_with_it() {
    let server = Server::shared();
    let mut owner = Shop::open(&server, &[REPOSITORY]);
    owner.registry.push(REPOSITORY, "1", &Image::small("kept"));
    let account = owner.account.clone();
    let all = statement(&["ecr:*"], json!({ "Resource": "*" }));
    let ann = user(&server, &account, "ann", &all);
    let mut registry = Registry::of(&server, &ann);
    registry.get(&format!("/v2/{REPOSITORY}/manifests/1")).with_status(200);
    let mut root = Api::new(&server, &account.root);
    for (operation, input) in [
        ("DeleteUserPolicy", vec![("UserName", "ann"), ("PolicyName", "own")]),
        ("DeleteAccessKey", vec![("UserName", "ann"), ("AccessKeyId", ann.access_key_id.as_str())]),
        ("DeleteUser", vec![("UserName", "ann")]),
    ] {
        root.call(&iam::api::MODEL, operation, Protocol::AwsQuery, &form(&input)).success();
    }
    let refusal = registry.get(&format!("/v2/{REPOSITORY}/manifests/1")).refusal();
    assert!([401, 403].contains(&refusal.status), "{refusal:?}");
}
