//! Each request to the registry is the matching action of Amazon ECR.

use super::client::Client;
use super::*;

const UPLOAD: &str = "/v2/web/blobs/uploads/";

async fn client() -> Client {
    let client = Client::new();
    client.api.repository("web").await;
    client.image("web", "v1", "one").await;
    client
}

fn allow(actions: &[&str]) -> Value {
    json!({"Effect": "Allow", "Action": actions, "Resource": arn("web")})
}

/// Every request, and the actions that it needs.
async fn requests(client: &Client) -> Vec<(&'static str, String, &'static [u8], Vec<&'static str>)> {
    let blob = format!("/v2/web/blobs/{}", digest_of(b"layer"));
    let whole = format!("{UPLOAD}?digest={}", digest_of(b"new"));
    let at = client.begin("web").await;
    let (bare, full) = (format!("{at}?digest={}", digest_of(b"")), format!("{at}?digest={}", digest_of(b"x")));
    let manifest = "/v2/web/manifests/v1".to_owned();
    vec![
        ("HEAD", blob.clone(), b"", vec!["ecr:BatchCheckLayerAvailability"]),
        ("GET", blob.clone(), b"", vec!["ecr:GetDownloadUrlForLayer"]),
        ("DELETE", blob, b"", vec!["ecr:BatchDeleteImage"]),
        ("HEAD", manifest.clone(), b"", vec!["ecr:BatchGetImage"]),
        ("GET", manifest.clone(), b"", vec!["ecr:BatchGetImage"]),
        ("PUT", manifest, b"{}", vec!["ecr:PutImage"]),
        ("DELETE", "/v2/web/manifests/gone".to_owned(), b"", vec!["ecr:BatchDeleteImage"]),
        ("GET", "/v2/web/tags/list".to_owned(), b"", vec!["ecr:ListImages"]),
        ("GET", format!("/v2/web/referrers/{}", digest_of(b"x")), b"", vec!["ecr:BatchGetImage"]),
        ("POST", UPLOAD.to_owned(), b"", vec!["ecr:InitiateLayerUpload"]),
        ("POST", whole, b"new", vec!["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]),
        ("GET", at.clone(), b"", vec!["ecr:UploadLayerPart"]),
        ("PATCH", at.clone(), b"", vec!["ecr:UploadLayerPart"]),
        ("PUT", full, b"x", vec!["ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]),
        ("PUT", bare, b"", vec!["ecr:CompleteLayerUpload"]),
        ("DELETE", at, b"", vec!["ecr:UploadLayerPart"]),
    ]
}

#[tokio::test]
async fn each_request_needs_its_actions_and_no_others() {
    let client = client().await;
    for (method, target, body, actions) in requests(&client).await {
        let able = client.user("able", &allow(&actions));
        let answer = able.send(method, &target, &[], body).await;
        assert!(answer.status != 403, "{method} {target}: {}", answer.text());
        for missing in &actions {
            let rest = json!({"Effect": "Allow", "NotAction": missing, "Resource": "*"});
            let unable = client.user("unable", &rest);
            let answer = unable.send(method, &target, &[], body).await;
            answer.expect(403);
            if method != "HEAD" {
                let arn = &unable.api.principal.arn;
                let said = format!(
                    "User: {arn} is not authorized to perform: {missing} on resource: {} because no identity-based policy \
                     allows the {missing} action",
                    self::arn("web")
                );
                answer.refuses(403, "DENIED");
                assert_eq!(answer.message(), said);
            }
        }
    }
}

#[tokio::test]
async fn whoever_may_nothing_does_not_learn_what_is_there() {
    let client = client().await;
    let nobody = client.user("nobody", &json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}));
    for name in ["web", "gone"] {
        nobody.get(&format!("/v2/{name}/tags/list")).await.refuses(403, "DENIED");
        nobody.get(&format!("/v2/{name}/manifests/v1")).await.refuses(403, "DENIED");
    }
    // The token alone is enough to see that this is a registry.
    nobody.get("/v2/").await.expect(200);
}

#[tokio::test]
async fn an_explicit_deny_of_the_repository_holds_for_the_registrys_routes() {
    let client = client().await;
    let user = client.user("puller", &allow(&["ecr:*"]));
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Principal": "*", "Action": "ecr:BatchGetImage",
    }});
    let set = json!({"repositoryName": "web", "policyText": policy.to_string(), "force": true});
    user.get("/v2/web/manifests/v1").await.expect(200);
    client.api.ok("SetRepositoryPolicy", set).await;
    let answer = user.get("/v2/web/manifests/v1").await;
    answer.refuses(403, "DENIED");
    assert!(answer.message().ends_with("with an explicit deny in a resource-based policy"), "{}", answer.message());
}

#[tokio::test]
async fn another_accounts_image_is_pulled_only_if_both_sides_allow_it() {
    let client = client().await;
    let host = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com:4566");
    let theirs = client.other_account();
    let able = theirs.user("able", &json!({"Effect": "Allow", "Action": "ecr:*", "Resource": "*"})).at(&host);
    let unable = theirs.user("unable", &json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})).at(&host);
    let pull = "/v2/web/manifests/v1";
    // Under its own name the registry is that of the caller.
    theirs.get(pull).await.refuses(404, "NAME_UNKNOWN");
    able.get(pull).await.refuses(403, "DENIED");
    let policy = json!({"Version": "2012-10-17", "Statement": {
        "Effect": "Allow", "Principal": {"AWS": OTHER},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }});
    client.api.ok("SetRepositoryPolicy", json!({"repositoryName": "web", "policyText": policy.to_string()})).await;
    able.get(pull).await.expect(200);
    assert_eq!(able.get(&format!("/v2/web/blobs/{}", digest_of(b"layer"))).await.expect(200).body, b"layer");
    unable.get(pull).await.refuses(403, "DENIED");
    able.post(UPLOAD).await.refuses(403, "DENIED");
    able.get("/v2/gone/manifests/v1").await.refuses(403, "DENIED");
}

#[tokio::test]
async fn a_host_name_means_the_registry_of_its_account() {
    let client = client().await;
    let theirs = client.other_account();
    theirs.api.repository("theirs").await;
    theirs.image("theirs", "v1", "one").await;
    let own = client.at(&format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com"));
    own.get("/v2/web/manifests/v1").await.expect(200);
    // The account's own root meets the other one's owner.
    let stranger = client.at(&format!("{OTHER}.dkr.ecr.us-east-1.amazonaws.com"));
    stranger.get("/v2/theirs/manifests/v1").await.refuses(403, "DENIED");
    stranger.get("/v2/").await.expect(200);
}
