//! Secrets are told once, to whom they belong, and written nowhere else.

use serde_json::json;
use tests::raw::{Connection, Request, form};
use tests::{Account, Options, REGION, Server};
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::{Credentials, SecretAccessKey};

use super::names::trust;
use super::target::now;

/// Calls by one key, and every secret seen on the way.
struct Talk<'s> {
    server: &'s Server,
    connection: Connection,
    secrets: Vec<String>,
}

impl Talk<'_> {
    #[track_caller]
    fn call(&mut self, by: &Credentials, model: &ServiceModel, operation: &str, input: &[(&str, &str)]) -> Credentials {
        let host = self.server.address().to_string();
        let request = Request::of(&host, model, operation, Protocol::AwsQuery, &form(input));
        let request = request.signed(by, model.signing_name, REGION, now());
        let signature = request.header("authorization").unwrap().rsplit_once('=').unwrap().1.to_owned();
        self.secrets.push(signature);
        let answer = self.connection.send(&request);
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        let element = |name: &str| answer.element(name);
        self.secrets.extend(element("SecretAccessKey"));
        self.secrets.extend(element("SessionToken"));
        Credentials {
            access_key_id: element("AccessKeyId").unwrap_or_default(),
            secret_access_key: SecretAccessKey::new(element("SecretAccessKey").unwrap_or_default()),
            session_token: element("SessionToken"),
        }
    }
}

#[test]
fn no_secret_reaches_the_log_even_when_everything_is_logged() {
    for format in ["text", "json"] {
        let arguments = ["--log-format", format, "--log", "trace"].map(str::to_owned).to_vec();
        let mut server = Server::start(Options { arguments, ..Options::default() });
        let account = server.account();
        let mut secrets = everything_secret(&server, &account);
        let keys =
            [&account.root, &account.user, &account.role, &server.root()].map(|key| key.secret_access_key.clone());
        secrets.extend(keys.iter().map(|key| key.expose().to_owned()));
        let sealing = std::fs::read_to_string(server.data_dir().join("keys/sealing.json")).unwrap();
        let sealing: serde_json::Value = serde_json::from_str(&sealing).unwrap();
        secrets.push(sealing["key"].as_str().unwrap().to_owned());
        assert!(server.stop().success());
        let log = server.log();
        assert!(log.contains("CreateAccessKey"), "the log tells of the calls:\n{log}");
        for secret in secrets {
            assert!(secret.len() >= 16, "{secret} is too short to look for");
            assert!(!log.contains(&secret), "a secret is in the log ({format})");
        }
    }
}

/// Every secret of a flow through everything that hands some out: keys, sessions, signatures.
fn everything_secret(server: &Server, account: &Account) -> Vec<String> {
    let mut talk = Talk { server, connection: Connection::to(server.address()), secrets: Vec::new() };
    let (iam, sts, root) = (&iam::api::MODEL, &sts::api::MODEL, &account.root);
    talk.call(root, iam, "CreateUser", &[("UserName", "keeper")]);
    let key = talk.call(root, iam, "CreateAccessKey", &[("UserName", "keeper")]);
    talk.call(&key, sts, "GetCallerIdentity", &[]);
    talk.call(root, iam, "CreateRole", &[("RoleName", "keeper"), ("AssumeRolePolicyDocument", &trust(&account.id))]);
    let arn = format!("arn:aws:iam::{}:role/keeper", account.id);
    let session = talk.call(root, sts, "AssumeRole", &[("RoleArn", &arn), ("RoleSessionName", "shift")]);
    talk.call(&session, sts, "GetCallerIdentity", &[]);
    let own = talk.call(root, sts, "GetSessionToken", &[]);
    talk.call(&own, sts, "GetCallerIdentity", &[]);
    // A token that is refused could be good elsewhere.
    let token = "e30.e30.dGhpcyBjb3VsZCBiZSBnb29kIGVsc2V3aGVyZQ";
    let input = form(&[("RoleArn", &arn), ("RoleSessionName", "shift"), ("WebIdentityToken", token)]);
    let host = server.address().to_string();
    let request = Request::of(&host, sts, "AssumeRoleWithWebIdentity", Protocol::AwsQuery, &input);
    assert_eq!(talk.connection.send(&request).status, 400);
    talk.secrets.push(token.to_owned());
    talk.secrets.extend(what_tenants_keep(&mut talk.connection, &host, root));
    talk.secrets
}

/// What tenants hand over to be kept, which is none of the log's business either.
fn what_tenants_keep(connection: &mut Connection, host: &str, root: &Credentials) -> Vec<String> {
    let (event, metric) = ("an event that is nobody's business", "a-metric-that-is-nobodys-business");
    let stream = json!({ "logGroupName": "kept", "logStreamName": "kept" });
    let mut batch = stream.clone();
    batch["logEvents"] = json!([{ "timestamp": now().as_millis(), "message": event }]);
    let data = json!({ "Namespace": "kept", "MetricData": [{ "MetricName": metric, "Value": 1.0 }] });
    let (logs, cloudwatch) = (&logs::api::MODEL, &cloudwatch::api::MODEL);
    for (model, operation, protocol, input) in [
        (logs, "CreateLogGroup", Protocol::AwsJson11, json!({ "logGroupName": "kept" })),
        (logs, "CreateLogStream", Protocol::AwsJson11, stream.clone()),
        (logs, "PutLogEvents", Protocol::AwsJson11, batch),
        (logs, "GetLogEvents", Protocol::AwsJson11, stream),
        (cloudwatch, "PutMetricData", Protocol::RpcV2Cbor, data.clone()),
        (cloudwatch, "PutMetricData", Protocol::AwsJson10, data),
        (cloudwatch, "ListMetrics", Protocol::RpcV2Cbor, json!({})),
    ] {
        let request = Request::of(host, model, operation, protocol, &input.to_string());
        connection.send(&request.signed(root, model.signing_name, REGION, now())).success();
    }
    vec![event.to_owned(), metric.to_owned()]
}

#[test]
fn a_secret_key_is_shown_when_it_is_made_and_never_again() {
    let server = Server::shared();
    let account = server.account();
    let mut talk = Talk { server: &server, connection: Connection::to(server.address()), secrets: Vec::new() };
    let iam = &iam::api::MODEL;
    talk.call(&account.root, iam, "CreateUser", &[("UserName", "keeper")]);
    let key = talk.call(&account.root, iam, "CreateAccessKey", &[("UserName", "keeper")]);
    assert_eq!(key.secret_access_key.expose().len(), 40);
    let later = talk.call(&account.root, iam, "ListAccessKeys", &[("UserName", "keeper")]);
    assert_eq!(later.access_key_id, key.access_key_id);
    assert_eq!(later.secret_access_key.expose(), "");
}
