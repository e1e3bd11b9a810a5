//! Clients that mean no good.

use base::Region;
use ecr::token::{Bearer, TOKEN_LIFETIME};

use super::client::{Client, basic};
use super::*;

async fn client() -> Client {
    let client = Client::new();
    client.api.repository("web").await;
    client.image("web", "v1", "one").await;
    client
}

#[tokio::test]
async fn whoever_says_nothing_is_asked_who_they_are() {
    let client = client().await.with(None);
    for (method, target) in [
        ("GET", "/v2/"),
        ("GET", "/v2/web/manifests/v1"),
        ("POST", "/v2/web/blobs/uploads/"),
        ("GET", "/v2/../../etc/passwd"),
        ("DELETE", "/v2/web/manifests/v1"),
        ("GET", "/v2/nonsense"),
    ] {
        let answer = client.send(method, target, &[], b"").await;
        answer.refuses(401, "UNAUTHORIZED");
        let challenge = "Basic realm=\"http://127.0.0.1:4566/\",service=\"ecr.amazonaws.com\"";
        assert_eq!(answer.header("www-authenticate"), challenge, "{method} {target}");
    }
}

#[tokio::test]
async fn credentials_that_are_none_let_nobody_in() {
    let client = client().await;
    let token = client.token();
    let forged = client.api.ecr.platform.keyring.seal("page-token", token.as_bytes());
    let forged = base64::engine::general_purpose::STANDARD.encode(forged);
    let changed = format!("{}{}", &token[..40], token[40..].replacen(|c| c != 'A', "A", 1));
    for wrong in [
        String::new(),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !!!".to_owned(),
        basic("root", &token),
        basic("aws", &token),
        basic("AWS", ""),
        basic("AWS", "password"),
        basic("AWS", &forged),
        basic("AWS", &changed),
        basic("AWS", &token[1..]),
        format!("Bearer {}", &token[1..]),
        "Bearer ".to_owned(),
        format!("Digest {token}"),
        token.clone(),
        format!("Basic {}", "A".repeat(100_000)),
        "AWS4-HMAC-SHA256 Credential=x".to_owned(),
    ] {
        client.with(Some(&wrong)).get("/v2/web/manifests/v1").await.refuses(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn bearers_of_the_same_token_are_let_in() {
    let client = client().await;
    let token = client.token();
    let authorization_token = basic("AWS", &token);
    let authorization_token = authorization_token.strip_prefix("Basic ").unwrap();
    for right in [
        basic("AWS", &token),
        format!("basic {authorization_token}"),
        format!("Bearer {token}"),
        format!("bearer {authorization_token}"),
    ] {
        client.with(Some(&right)).get("/v2/web/manifests/v1").await.expect(200);
    }
}

#[tokio::test]
async fn two_credentials_at_once_are_none() {
    let client = client().await;
    let other = basic("AWS", "x");
    let answer = client.send("GET", "/v2/", &[("authorization", &other)], b"").await;
    answer.refuses(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_token_ends_after_twelve_hours() {
    let client = client().await;
    client.api.advance(TOKEN_LIFETIME - Duration::from_millis(1));
    client.get("/v2/").await.expect(200);
    client.api.advance(Duration::from_millis(1));
    let answer = client.get("/v2/").await;
    answer.refuses(403, "DENIED");
    assert_eq!(answer.message(), "Your authorization token has expired. Reauthenticate and try again.");
}

#[tokio::test]
async fn the_token_of_a_deleted_user_lets_nobody_in() {
    let client = client().await;
    let user = client.user("alice", &everything());
    user.get("/v2/web/manifests/v1").await.expect(200);
    user.delete_user();
    user.get("/v2/web/manifests/v1").await.refuses(401, "UNAUTHORIZED");
    user.get("/v2/").await.refuses(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_policy_that_changes_holds_for_tokens_that_are_out_already() {
    let client = client().await;
    let user = client.user("alice", &everything());
    client.user("alice", &json!({"Effect": "Deny", "Action": "*", "Resource": "*"}));
    user.get("/v2/web/manifests/v1").await.refuses(403, "DENIED");
}

#[tokio::test]
async fn a_token_of_another_region_is_not_good_here() {
    let client = client().await;
    let elsewhere: Region = "eu-west-1".parse().unwrap();
    let bearer = Bearer { region: elsewhere, ..Bearer::of(&client.api.ctx()) };
    let client = client.with(Some(&basic("AWS", &bearer.seal(&client.api.ecr.platform))));
    let host = |region: &str| format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com");
    client.at(&host("us-east-1")).get("/v2/web/manifests/v1").await.refuses(401, "UNAUTHORIZED");
    client.at(&host("eu-west-1")).get("/v2/web/manifests/v1").await.refuses(404, "NAME_UNKNOWN");
    // Where the host name tells no region the token does.
    client.get("/v2/web/manifests/v1").await.refuses(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let client = client().await;
    let long = "a".repeat(257);
    for name in [
        "..",
        ".",
        "web/..",
        "../web",
        "%2e%2e",
        "%2e%2e/web",
        "web%2F..%2Fother",
        "team%2fweb",
        "web//v",
        "//web",
        "Web",
        "web%00",
        "-web",
        &long,
        "web/%2e",
        "w%C3%A4b",
        "a;b",
        "a:b",
    ] {
        client.get(&format!("/v2/{name}/manifests/v1")).await.refuses(400, "NAME_INVALID");
        client.post(&format!("/v2/{name}/blobs/uploads/")).await.refuses(400, "NAME_INVALID");
        client.get(&format!("/v2/{name}/tags/list")).await.refuses(400, "NAME_INVALID");
    }
}

#[tokio::test]
async fn references_that_lead_elsewhere_are_refused() {
    let client = client().await;
    for reference in ["..", ".hidden", "%2e%2e", "a%2Fb", "-x", &"x".repeat(129), "%00", "v1%20"] {
        client.get(&format!("/v2/web/manifests/{reference}")).await.refuses(400, "TAG_INVALID");
    }
    let hex = "a".repeat(64);
    for digest in
        ["sha256:..", "..", "sha256:", &format!("SHA256:{hex}"), &format!("sha256:{}", hex.to_uppercase()), &hex]
    {
        client.get(&format!("/v2/web/blobs/{digest}")).await.refuses(400, "DIGEST_INVALID");
        client.delete(&format!("/v2/web/blobs/{digest}")).await.refuses(400, "DIGEST_INVALID");
    }
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository_and_account() {
    let client = client().await;
    client.api.repository("other").await;
    let at = client.begin("web").await;
    client.send("PATCH", &at, &[], b"secret").await.expect(202);
    let id = at.rsplit('/').next().unwrap();
    let elsewhere = format!("/v2/other/blobs/uploads/{id}");
    let theirs = client.other_account();
    theirs.api.repository("web").await;
    let put = format!("?digest={}", digest_of(b"secret"));
    for (client, at) in [(&client, &elsewhere), (&theirs, &at)] {
        client.get(at).await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
        client.send("PATCH", at, &[], b"x").await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
        client.send("PUT", &format!("{at}{put}"), &[], b"").await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
        client.delete(at).await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
    }
    client.send("PUT", &format!("{at}{put}"), &[], b"").await.expect(201);
}

#[tokio::test]
async fn upload_ids_that_lead_elsewhere_are_unknown() {
    let client = client().await;
    let upper = "0123ABCD-0123-4123-8123-0123456789AB";
    for id in ["..", "%2e%2e", "x", upper, "0123abcd-0123-4123-8123-0123456789ab", "%2e%2e%2fblobs", &"a".repeat(5000)]
    {
        for method in ["GET", "PATCH", "DELETE"] {
            let at = format!("/v2/web/blobs/uploads/{id}");
            client.send(method, &at, &[], b"x").await.refuses(404, "BLOB_UPLOAD_UNKNOWN");
        }
    }
}

#[tokio::test]
async fn nothing_that_a_client_says_ends_a_header() {
    let client = client().await;
    for host in ["evil\"", "a\",b=\"c", "a b", "a\\b", "ä", "127.0.0.1:4566/\"x"] {
        let Ok(value) = http::HeaderValue::from_str(host) else { continue };
        if value.to_str().is_err() {
            continue;
        }
        let answer = client.with(None).at(host).get("/v2/").await;
        let challenge = "Basic realm=\"http:///\",service=\"ecr.amazonaws.com\"";
        assert_eq!(answer.expect(401).header("www-authenticate"), challenge, "{host}");
    }
    let path = "/v2/web/tags/list?n=1&last=a%0d%0aset-cookie:x";
    client.get(path).await.refuses(400, "TAG_INVALID");
    let path = format!("/v2/web/referrers/{}?artifactType=a%0d%0ab", digest_of(b"x"));
    assert!(!client.get(&path).await.expect(200).headers.contains_key("set-cookie"));
    let digest = digest_of(client.get("/v2/web/manifests/v1").await.text().as_bytes());
    let path = format!("/v2/web/manifests/{digest}?tag=a%0d%0ab");
    client.send("PUT", &path, &[], b"{}").await.refuses(400, "TAG_INVALID");
}

#[tokio::test]
async fn methods_that_nothing_has_are_refused() {
    let client = client().await;
    for (method, target, allowed) in [
        ("POST", "/v2/", "GET, HEAD"),
        ("PUT", "/v2/web/tags/list", "GET, HEAD"),
        ("GET", "/v2/web/blobs/uploads/", "POST"),
        ("POST", "/v2/web/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("PATCH", "/v2/web/blobs/sha256:x", "GET, HEAD, DELETE"),
        ("OPTIONS", "/v2/web/manifests/v1", "GET, HEAD, PUT, DELETE"),
    ] {
        let answer = client.send(method, target, &[], b"").await;
        answer.refuses(405, "UNSUPPORTED");
        assert_eq!(answer.header("allow"), allowed);
    }
    client.get("/v2/_catalog").await.refuses(404, "UNSUPPORTED");
}

#[tokio::test]
async fn the_blobs_of_other_repositories_are_not_there() {
    let client = client().await;
    client.api.repository("other").await;
    let secret = client.blob("other", b"secret").await;
    let path = format!("/v2/web/blobs/{secret}");
    client.get(&path).await.refuses(404, "BLOB_UNKNOWN");
    client.head(&path).await.expect(404);
    client.delete(&path).await.refuses(404, "BLOB_UNKNOWN");
    client.get(&format!("/v2/other/blobs/{secret}")).await.expect(200);
}
