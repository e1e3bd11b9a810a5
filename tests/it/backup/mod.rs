//! A backup that is made while clients call, and what a restored server knows.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tests::raw::{Connection, Request};
use tests::{Aws, Folder, Options, REGION, Script, Server};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use crate::security::now;
use crate::{cloudwatch_flow, logs_flow};

#[track_caller]
fn ecs(server: &Server, by: &Credentials, operation: &str, input: &Value) -> Value {
    let host = server.address().to_string();
    let request = Request::of(&host, &ecs::api::MODEL, operation, Protocol::AwsJson11, &input.to_string());
    let request = request.signed(by, "ecs", REGION, now());
    Connection::to(server.address()).send(&request).success().json()
}

#[test]
fn a_backup_of_a_running_server_restores_everything_up_to_it_and_nothing_after() {
    let server = Server::start(Options::default());
    let account = server.account();
    let told = Script::python("outliving.py", &server, &account.root).argument("make").argument(&account.id).run();
    let definition = json!({ "family": "web", "containerDefinitions": [{ "name": "a", "image": "b", "memory": 6 }] });
    for _ in 0..3 {
        ecs(&server, &account.root, "RegisterTaskDefinition", &definition);
    }
    let file = server.folder().file("pilvi.backup");
    server.command(&["backup", &file.display().to_string()]).success();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "a backup holds every secret");
    ecs(&server, &account.root, "CreateCluster", &json!({ "clusterName": "after" }));
    let again = server.command(&["backup", &file.display().to_string()]).failure();
    assert!(again.contains("exist"), "a backup is not overwritten: {again}");

    let folder = Folder::new();
    let data = folder.data_dir("data");
    let mut restore = std::process::Command::new(tests::pilvi());
    restore.arg("restore").arg(&file).arg("--data-dir").arg(&data);
    tests::program::run(&mut restore).success();
    let restored = Server::start_in(folder, data, Options::default());
    assert_eq!(restored.root().access_key_id, server.root().access_key_id, "the root key is the same");
    let clusters = Aws::new(&restored, &account.root).call(&["ecs", "list-clusters", "--query", "length(clusterArns)"]);
    assert_eq!(clusters, 2, "the cluster that came after is not there");
    let next = ecs(&restored, &account.root, "RegisterTaskDefinition", &definition);
    assert_eq!(next["taskDefinition"]["revision"], 4);
    Script::python("outliving.py", &restored, &account.root)
        .argument("use")
        .argument(&account.id)
        .argument(told.to_string())
        .run();
    let first = ecs(&server, &account.root, "ListClusters", &json!({}));
    assert_eq!(first["clusterArns"].as_array().unwrap().len(), 3, "the first server went on");
}

#[test]
fn a_backup_holds_the_log_events_and_the_metrics_of_its_moment() {
    let server = Server::start(Options::default());
    let account = server.account();
    let put = |server: &Server, message: &str| {
        let lines = [message.to_owned()];
        logs_flow::call(server, &account, "PutLogEvents", &logs_flow::batch("shop", "web", now().as_millis(), &lines));
        let data = json!([{ "MetricName": "Lines", "Value": 1 }]);
        let put = json!({ "Namespace": "Shop", "MetricData": data });
        cloudwatch_flow::call(server, &account, "PutMetricData", &put);
    };
    logs_flow::make(&server, &account, "shop", &["web"]);
    put(&server, "before");
    let file = server.folder().file("pilvi.backup");
    server.command(&["backup", &file.display().to_string()]).success();
    put(&server, "after");

    let folder = Folder::new();
    let data = folder.data_dir("data");
    let mut restore = std::process::Command::new(tests::pilvi());
    restore.arg("restore").arg(&file).arg("--data-dir").arg(&data);
    tests::program::run(&mut restore).success();
    let restored = Server::start_in(folder, data, Options::default());
    let held = |server: &Server| {
        let lines = logs_flow::messages(server, &account, "shop", "web");
        (lines, cloudwatch_flow::sample_count(server, &account, "Shop", "Lines"))
    };
    assert_eq!(held(&restored), (vec!["before".to_owned()], 1));
    put(&restored, "anew");
    assert_eq!(held(&restored), (vec!["before".to_owned(), "anew".to_owned()], 2));
    assert_eq!(held(&server), (vec!["before".to_owned(), "after".to_owned()], 2), "the first server went on");
}

#[test]
fn a_restore_into_a_directory_that_is_in_use_or_from_a_damaged_file_is_refused() {
    let server = Server::start(Options::default());
    let file = server.folder().file("pilvi.backup");
    server.command(&["backup", &file.display().to_string()]).success();
    let onto_itself = server.command(&["restore", &file.display().to_string()]).failure();
    assert!(!onto_itself.is_empty());

    let whole = fs::read(&file).unwrap();
    let folder = Folder::new();
    for (name, content) in [("cut", &whole[..whole.len() / 2]), ("empty", &[]), ("text", b"no backup at all")] {
        let damaged = folder.file(name);
        fs::write(&damaged, content).unwrap();
        let data = folder.data_dir(&format!("data-{name}"));
        let mut restore = std::process::Command::new(tests::pilvi());
        restore.arg("restore").arg(&damaged).arg("--data-dir").arg(&data);
        tests::program::run(&mut restore).failure();
    }
}
