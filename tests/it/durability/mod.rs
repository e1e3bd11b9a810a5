//! What was acknowledged is there, wherever a process was killed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tests::program::until;
use tests::raw::{Connection, Request};
use tests::{Account, Options, REGION, Script, Server};
use wire::model::Protocol;

use crate::security::now;

/// How often the server is killed while clients write.
const KILLS: usize = 5;
/// How many clients write at once.
const WRITERS: usize = 4;
/// How many revisions must have been acknowledged between two kills.
const WRITES_BETWEEN: usize = 5;
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn ecs(server: &Server, account: &Account, operation: &str, input: &Value) -> Value {
    let host = server.address().to_string();
    let request = Request::of(&host, &ecs::api::MODEL, operation, Protocol::AwsJson11, &input.to_string());
    let request = request.signed(&account.root, "ecs", REGION, now());
    Connection::to(server.address()).send(&request).success().json()
}

fn revisions(server: &Server, account: &Account) -> Vec<u64> {
    let mut found = Vec::new();
    let mut input = json!({ "familyPrefix": "durable" });
    loop {
        let page = ecs(server, account, "ListTaskDefinitions", &input);
        for arn in page["taskDefinitionArns"].as_array().unwrap() {
            found.push(arn.as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap());
        }
        match page.get("nextToken") {
            Some(token) => input["nextToken"] = token.clone(),
            None => return found,
        }
    }
}

#[test]
fn every_acknowledged_revision_outlives_kill_9_of_the_server_and_none_is_given_twice() {
    let mut server = Server::start(Options::default());
    let account = server.account();
    let end = server.folder().file("end");
    let writer = Script::python("writer.py", &server, &account.root).argument(&end).argument(WRITERS.to_string());
    let (_home, writer) = writer.start();
    for _ in 0..KILLS {
        let before = revisions(&server, &account).len();
        let goes_on = until(PATIENCE, || (revisions(&server, &account).len() >= before + WRITES_BETWEEN).then_some(()));
        if goes_on.is_none() {
            std::fs::write(&end, "").unwrap();
            panic!("the clients write no more: {:?}", writer.wait());
        }
        server.kill_server();
    }
    std::fs::write(end, "").unwrap();
    let told = writer.wait().success();
    let acknowledged: Vec<&str> = told.lines().collect();
    let unique: BTreeSet<&str> = acknowledged.iter().copied().collect();
    assert_eq!(unique.len(), acknowledged.len(), "a revision was given twice: {acknowledged:?}");
    assert!(acknowledged.len() >= KILLS * WRITES_BETWEEN, "{acknowledged:?}");

    let whole = |server: &Server| {
        for name in &unique {
            let described = ecs(server, &account, "DescribeTaskDefinition", &json!({ "taskDefinition": name }));
            let definition = &described["taskDefinition"];
            assert_eq!(definition["containerDefinitions"][0]["image"], "busybox", "{name} is not whole");
            assert_eq!(definition["status"], "ACTIVE");
        }
    };
    whole(&server);
    let before = revisions(&server, &account);
    server.kill();
    server.up();
    whole(&server);
    assert_eq!(revisions(&server, &account), before, "after kill -9 of everything");
    let next = ecs(
        &server,
        &account,
        "RegisterTaskDefinition",
        &json!({ "family": "durable", "containerDefinitions": [{ "name": "a", "image": "b", "memory": 6 }] }),
    );
    let next = next["taskDefinition"]["revision"].as_u64().unwrap();
    assert!(before.iter().all(|revision| *revision < next), "{next} was given before");
}

#[test]
fn keys_roles_and_sessions_outlive_the_server() {
    let mut server = Server::start(Options::default());
    let account = server.account();
    let told = Script::python("outliving.py", &server, &account.root).argument("make").argument(&account.id).run();
    let known = told.to_string();
    server.kill();
    server.up();
    Script::python("outliving.py", &server, &account.root).argument("use").argument(&account.id).argument(known).run();
}
