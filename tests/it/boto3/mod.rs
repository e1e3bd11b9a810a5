//! Every served operation at least once with success, by boto3, with its typed exceptions and paginators.

use std::collections::BTreeSet;

use tests::{Script, Server, source};

/// The operations that `models/operations.toml` names for a service, as `service:Operation`.
fn served(service: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(source("models/operations.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let operations = table[service]["operations"].as_array().unwrap();
    operations.iter().map(|name| format!("{service}:{}", name.as_str().unwrap())).collect()
}

/// Runs a service's script; every operation that the service serves must have succeeded in it.
#[track_caller]
fn every_operation_succeeds(service: &str) {
    let server = Server::shared();
    let account = server.account();
    let told = Script::python(&format!("{service}.py"), &server, &account.root).argument(&account.id).run();
    let succeeded: BTreeSet<String> =
        told["succeeded"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let missing: Vec<_> = served(service).difference(&succeeded).cloned().collect();
    assert!(missing.is_empty(), "tests/python/{service}.py has no step for {missing:?}");
}

#[test]
fn every_operation_of_ecs_has_a_step_that_succeeds() {
    every_operation_succeeds("ecs");
}

#[test]
fn every_operation_of_iam_has_a_step_that_succeeds() {
    every_operation_succeeds("iam");
}

#[test]
fn every_operation_of_sts_has_a_step_that_succeeds() {
    every_operation_succeeds("sts");
}

#[test]
fn every_service_that_is_served_has_its_script_and_is_attacked() {
    let text = std::fs::read_to_string(source("models/operations.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let services: Vec<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(services, ["ecs", "iam", "sts"], "a new service needs a script and a test above");
    let mut attacked: Vec<&str> = crate::security::MODELS.iter().map(|model| model.name).collect();
    attacked.sort_unstable();
    assert_eq!(services, attacked, "a new service needs its place among the attacks");
}
