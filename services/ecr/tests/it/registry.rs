//! Tokens and settings of a registry; below it in `registry/`, its routes.

mod attacks;
mod blobs;
mod client;
mod conformance;
mod connections;
mod layers;
mod manifests;
mod referrers;
mod rights;
mod tags;
mod uploads;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ecr::token::Bearer;

use super::*;

#[tokio::test]
async fn an_authorization_token_stands_for_whoever_asked_for_it() {
    let caller = Caller::new();
    let user = caller.user("alice", &everything());
    let answer = user.ok("GetAuthorizationToken", json!({})).await["authorizationData"].clone();
    assert_eq!(answer[0]["proxyEndpoint"], "http://127.0.0.1:4566");
    assert_eq!(answer[0]["expiresAt"], (START / 1000 + 12 * 3600) as f64);
    let basic = BASE64.decode(answer[0]["authorizationToken"].as_str().unwrap()).unwrap();
    let basic = String::from_utf8(basic).unwrap();
    let token = basic.strip_prefix("AWS:").unwrap();
    let bearer = Bearer::open(&caller.ecr.platform, token).unwrap();
    assert_eq!(bearer.principal, user.principal);
    assert_eq!(bearer.region, Region::default());
    caller.advance(Duration::from_secs(12 * 3600));
    assert!(Bearer::open(&caller.ecr.platform, token).is_err());
}

#[tokio::test]
async fn each_registry_that_is_named_has_its_address() {
    let caller = Caller::new();
    let answer = caller.ok("GetAuthorizationToken", json!({"registryIds": [ACCOUNT, OTHER]})).await;
    let endpoints: Vec<&str> = answer["authorizationData"]
        .as_array()
        .unwrap()
        .iter()
        .map(|data| data["proxyEndpoint"].as_str().unwrap())
        .collect();
    assert_eq!(endpoints, ["http://127.0.0.1:4566", "http://999999999999.dkr.ecr.us-east-1.amazonaws.com:4566"]);
}

#[tokio::test]
async fn somebody_who_may_not_gets_no_token() {
    let nothing = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    let user = Caller::new().user("bob", &nothing);
    assert_eq!(user.refused("GetAuthorizationToken", json!({})).await.0, "AccessDeniedException");
}

#[tokio::test]
async fn a_registry_replicates_nothing() {
    let answer = Caller::new().ok("DescribeRegistry", json!({})).await;
    assert_eq!(answer, json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": []}}));
}

#[tokio::test]
async fn account_settings_have_defaults_and_keep_what_is_set() {
    let caller = Caller::new();
    for (name, default) in
        [("BASIC_SCAN_TYPE_VERSION", "AWS_NATIVE"), ("BLOB_MOUNTING", "DISABLED"), ("REGISTRY_POLICY_SCOPE", "V2")]
    {
        let answer = caller.ok("GetAccountSetting", json!({"name": name})).await;
        assert_eq!(answer, json!({"name": name, "value": default}));
    }
    let enabled = json!({"name": "BLOB_MOUNTING", "value": "ENABLED"});
    assert_eq!(caller.ok("PutAccountSetting", enabled.clone()).await, enabled);
    assert_eq!(caller.ok("GetAccountSetting", json!({"name": "BLOB_MOUNTING"})).await, enabled);
    let theirs = caller.other_account().ok("GetAccountSetting", json!({"name": "BLOB_MOUNTING"})).await;
    assert_eq!(theirs["value"], "DISABLED");
    for (name, value) in [("BLOB_MOUNTING", "on"), ("BASIC_SCAN_TYPE_VERSION", "CLAIR"), ("OTHER", "V1")] {
        let input = json!({"name": name, "value": value});
        assert_eq!(caller.refused("PutAccountSetting", input).await.0, "InvalidParameterException", "{name}");
    }
}
