//! Every served operation at least once with success, by boto3, with its typed exceptions and paginators.

use std::collections::BTreeSet;

use tests::{Script, Server, source};

use crate::permissions_flow::Issuer;

/// The operations that `models/operations.toml` names for a service, as `service:Operation`.
fn served(service: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(source("models/operations.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let operations = table[service]["operations"].as_array().unwrap();
    operations.iter().map(|name| format!("{service}:{}", name.as_str().unwrap())).collect()
}

/// What a served operation answers only where something else is served too: these are called, and refuse.
const WITHOUT_SUCCESS: [&str; 6] = [
    "lambda:PutFunctionCodeSigningConfig",
    "logs:DeleteSubscriptionFilter",
    "logs:PutSubscriptionFilter",
    "s3:GetBucketEncryption",
    "s3:GetBucketReplication",
    "s3:GetObjectLockConfiguration",
];

/// Runs scripts about a service, each in an account of its own, with the account's number before these arguments; every
/// operation that the service serves must have succeeded in one of them.
#[track_caller]
fn every_operation_succeeds(service: &str, scripts: &[(&str, &[&str])]) {
    let server = Server::shared();
    let mut succeeded: BTreeSet<String> = WITHOUT_SUCCESS.map(str::to_owned).into();
    for (name, arguments) in scripts {
        let account = server.account();
        let script = Script::python(name, &server, &account.root).argument(&account.id);
        let told = arguments.iter().fold(script, Script::argument).run();
        succeeded.extend(told["succeeded"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
    }
    let missing: Vec<_> = served(service).difference(&succeeded).cloned().collect();
    assert!(missing.is_empty(), "no step succeeds with {missing:?}");
}

/// CloudWatch by itself in one of its protocols: every operation must succeed over each of them.
fn every_operation_of_cloudwatch_succeeds(protocol: &str) {
    every_operation_succeeds("cloudwatch", &[("cloudwatch.py", &[protocol])]);
}

#[test]
fn every_operation_of_cloudwatch_has_a_step_that_succeeds_over_json() {
    every_operation_of_cloudwatch_succeeds("json");
}

#[test]
fn every_operation_of_cloudwatch_has_a_step_that_succeeds_over_query() {
    every_operation_of_cloudwatch_succeeds("query");
}

#[test]
fn every_operation_of_cloudwatch_has_a_step_that_succeeds_over_cbor() {
    every_operation_of_cloudwatch_succeeds("smithy-rpc-v2-cbor");
}

#[test]
fn every_operation_of_ecr_has_a_step_that_succeeds() {
    every_operation_succeeds("ecr", &[("ecr.py", &[])]);
}

#[test]
fn every_operation_of_ecs_has_a_step_that_succeeds() {
    every_operation_succeeds("ecs", &[("ecs.py", &[])]);
}

#[test]
fn every_operation_of_iam_has_a_step_that_succeeds() {
    every_operation_succeeds("iam", &[("iam.py", &[]), ("iam_access.py", &[])]);
}

#[test]
fn every_operation_of_lambda_has_a_step_that_succeeds() {
    // Functions run on a node, which needs root.
    if tests::is_root() {
        every_operation_succeeds("lambda", &[("lambda.py", &[])]);
    }
}

#[test]
fn every_operation_of_logs_has_a_step_that_succeeds() {
    every_operation_succeeds("logs", &[("logs.py", &[]), ("logs_insights.py", &[])]);
}

#[test]
fn every_operation_of_s3_has_a_step_that_succeeds() {
    every_operation_succeeds("s3", &[("s3.py", &[]), ("s3_settings.py", &[])]);
}

#[test]
fn every_operation_of_sts_has_a_step_that_succeeds() {
    let issuer = Issuer::start();
    let token = issuer.token("app", "worker");
    every_operation_succeeds("sts", &[("sts.py", &[&issuer.url, &issuer.thumbprint, &token])]);
}

#[test]
fn every_service_that_is_served_has_its_script_and_is_attacked() {
    let text = std::fs::read_to_string(source("models/operations.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let is_offered = |service: &toml::Value| service.get("in_preparation").is_none();
    let services: Vec<&str> = table.iter().filter(|(_, row)| is_offered(row)).map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        services,
        ["cloudwatch", "ecr", "ecs", "iam", "lambda", "logs", "s3", "sts"],
        "a new service needs a script and a test above"
    );
    let mut attacked: Vec<&str> = crate::security::MODELS.iter().map(|model| model.name).collect();
    attacked.sort_unstable();
    assert_eq!(services, attacked, "a new service needs its place among the attacks");
}
