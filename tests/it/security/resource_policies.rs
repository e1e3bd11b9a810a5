//! Log groups of another account: what their owner's policy allows, and what one's own account allows, both together.

use serde_json::{Value as Json, json};
use tests::raw::{Answer, Connection, Request};
use tests::{Account, Options, REGION, Server, program};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{give, make_role, policy, session_of};
use super::furniture::{furnish, is_private};
use super::names::{Names, VICTIM, statement};
use super::target::{Scene, Target, now};

const LOGS: &wire::model::ServiceModel = &logs::api::MODEL;

fn group(account: &Account) -> String {
    format!("arn:aws:logs:us-east-1:{}:log-group:{VICTIM}", account.id)
}

/// Lets `who` do `action` with all groups of the account, as its only policy.
fn allow(scene: &mut Scene, owner: &Account, who: &Json, action: &str) {
    let resource = format!("{}:*", group(owner));
    let document =
        statement(json!({ "Effect": "Allow", "Action": action, "Resource": resource, "Principal": { "AWS": who } }));
    let input = json!({ "policyName": VICTIM, "policyDocument": document });
    scene.json(&owner.root, LOGS, "PutResourcePolicy", &input).success();
}

fn read(scene: &mut Scene, by: &Credentials, owner: &Account) -> Answer {
    let input = json!({ "logGroupIdentifier": group(owner), "logStreamName": VICTIM });
    scene.json(by, LOGS, "GetLogEvents", &input)
}

#[track_caller]
fn is_denied(answer: &Answer) {
    assert!(!is_private(&answer.text()), "{}", answer.text());
    let failure = answer.failure(Protocol::AwsJson11);
    assert_eq!((failure.code.as_str(), failure.status), ("AccessDeniedException", 400), "{failure:?}");
}

/// The operations that can be asked about another account's group: by ARN.
fn by_arn() -> Vec<Target> {
    let of_logs = Target::served().into_iter().filter(|target| target.model.name == "logs");
    let names = ["logGroupIdentifier", "logGroupIdentifiers"];
    of_logs.filter(|target| names.iter().any(|name| target.has(name)) && target.name != "DescribeLogGroups").collect()
}

#[test]
fn without_its_owners_policy_another_accounts_group_is_closed_to_every_operation() {
    let mut scene = Scene::new();
    let owner = scene.account.clone();
    let names = Names { by_arn: true, ..furnish(&mut scene, &owner) };
    let stranger = scene.server.account();
    let before = scene.snapshot(&owner.root, &names);
    assert!(by_arn().len() >= 6, "{:?}", by_arn());
    for target in by_arn() {
        let answer = scene.call(&target, &stranger.root, &names);
        assert!(answer.status != 200, "{}: {}", target.action(), answer.text());
        is_denied(&answer);
    }
    // With the policy for something else, too.
    allow(&mut scene, &owner, &json!(stranger.id), "logs:CreateLogStream");
    for target in by_arn() {
        is_denied(&scene.call(&target, &stranger.root, &names));
    }
    let policy = json!({ "policyName": VICTIM });
    scene.json(&owner.root, LOGS, "DeleteResourcePolicy", &policy).success();
    let after = scene.snapshot(&owner.root, &names);
    let changed = |(before, after): (&(String, u16, String), &(String, u16, String))| {
        (before != after && before.0 != "logs:DescribeResourcePolicies").then(|| format!("{before:?} {after:?}"))
    };
    let changed: Vec<String> = before.iter().zip(&after).filter_map(changed).collect();
    assert!(changed.is_empty(), "another account has changed something: {changed:?}");
}

#[test]
fn a_group_is_open_to_another_account_where_both_sides_let_it() {
    let mut scene = Scene::new();
    let owner = scene.account.clone();
    furnish(&mut scene, &owner);
    let stranger = scene.server.account();
    // A role of the stranger's account, with rights there or without.
    scene.account = stranger.clone();
    make_role(&mut scene, "reader");
    let reader = session_of(&mut scene, "reader", None);
    is_denied(&read(&mut scene, &stranger.root, &owner));
    allow(&mut scene, &owner, &json!(format!("arn:aws:iam::{}:root", stranger.id)), "logs:GetLogEvents");
    assert!(is_private(&read(&mut scene, &stranger.root, &owner).success().text()));
    is_denied(&read(&mut scene, &reader, &owner));
    is_denied(&read(&mut scene, &stranger.user, &owner));
    give(&mut scene, "reader", &policy("Allow", "logs:GetLogEvents"));
    read(&mut scene, &reader, &owner).success();
    // For this and nothing else.
    give(&mut scene, "reader", &policy("Allow", "logs:*"));
    let filter = json!({ "logGroupIdentifier": group(&owner) });
    for by in [&reader, &stranger.root] {
        is_denied(&scene.json(by, LOGS, "FilterLogEvents", &filter));
    }
    let narrow = session_of(&mut scene, "reader", Some(&policy("Allow", "logs:FilterLogEvents")));
    is_denied(&read(&mut scene, &narrow, &owner));
    // One role alone, and the end of it.
    let third = scene.server.account();
    allow(&mut scene, &owner, &json!(format!("arn:aws:iam::{}:role/reader", stranger.id)), "logs:*");
    read(&mut scene, &reader, &owner).success();
    is_denied(&read(&mut scene, &stranger.root, &owner));
    is_denied(&read(&mut scene, &third.root, &owner));
    scene.json(&owner.root, LOGS, "DeleteResourcePolicy", &json!({ "policyName": VICTIM })).success();
    is_denied(&read(&mut scene, &reader, &owner));
}

#[test]
fn nobody_writes_the_policy_of_another_accounts_group() {
    let mut scene = Scene::new();
    let owner = scene.account.clone();
    let names = furnish(&mut scene, &owner);
    let stranger = scene.server.account();
    allow(&mut scene, &owner, &json!(stranger.id), "logs:*");
    let before = scene.snapshot(&owner.root, &names);
    let document = statement(json!({
        "Effect": "Allow", "Action": "logs:*", "Resource": "*", "Principal": "*",
    }));
    for (operation, input) in [
        ("PutResourcePolicy", json!({ "resourceArn": group(&owner), "policyDocument": document })),
        ("PutResourcePolicy", json!({ "resourceArn": format!("{}:*", group(&owner)), "policyDocument": document })),
        ("DeleteResourcePolicy", json!({ "resourceArn": group(&owner) })),
    ] {
        let answer = scene.json(&stranger.root, LOGS, operation, &input);
        assert_eq!(answer.failure(Protocol::AwsJson11).status, 400, "{operation}");
    }
    assert_eq!(before, scene.snapshot(&owner.root, &names), "another account has changed something");
}

#[test]
fn a_pointer_to_an_event_opens_nothing_to_whom_may_not_read_it() {
    let mut scene = Scene::new();
    let owner = scene.account.clone();
    let names = furnish(&mut scene, &owner);
    let record = Target::served().into_iter().find(|target| target.name == "GetLogRecord").unwrap();
    assert!(is_private(&scene.call(&record, &owner.root, &names).success().text()));
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    for by in [&session, &owner.user, &owner.role] {
        is_denied(&scene.call(&record, by, &names));
    }
    give(&mut scene, "worker", &policy("Allow", "logs:GetLogRecord"));
    scene.call(&record, &session, &names).success();
    let stranger = scene.server.account();
    allow(&mut scene, &owner, &json!(stranger.id), "logs:GetLogRecord");
    let answer = scene.call(&record, &stranger.root, &names);
    assert!(answer.status == 400 && !is_private(&answer.text()), "a pointer is its finder's: {}", answer.text());
    for forged in [names.record_pointer.to_uppercase(), format!("{}A", names.record_pointer), "A".repeat(2000)] {
        let forged = Names { record_pointer: forged, ..names.clone() };
        let failure = scene.call(&record, &owner.root, &forged).failure(record.protocol);
        assert_eq!(failure.code, "InvalidParameterException", "{failure:?}");
    }
}

#[test]
fn a_query_that_has_ended_shows_nothing_that_came_after_it() {
    let mut server = Server::start(Options::default());
    let (owner, stranger) = (server.account(), server.account());
    let host = |server: &Server| server.address().to_string();
    let ask = |server: &Server, by: &Credentials, operation: &str, input: &Json| {
        let request = Request::of(&host(server), LOGS, operation, Protocol::AwsJson11, &input.to_string());
        Connection::to(server.address()).send(&request.signed(by, "logs", REGION, now()))
    };
    let stream = json!({ "logGroupName": VICTIM, "logStreamName": VICTIM });
    let write = |server: &Server, message: &str| {
        let mut batch = stream.clone();
        batch["logEvents"] = json!([{ "timestamp": now().as_millis(), "message": message }]);
        ask(server, &owner.root, "PutLogEvents", &batch).success();
    };
    ask(&server, &owner.root, "CreateLogGroup", &json!({ "logGroupName": VICTIM })).success();
    ask(&server, &owner.root, "CreateLogStream", &stream).success();
    write(&server, "for everybody");
    let document = statement(json!({
        "Effect": "Allow", "Action": "logs:*", "Resource": "*", "Principal": { "AWS": stranger.id },
    }));
    let policy = json!({ "policyName": VICTIM, "policyDocument": document });
    ask(&server, &owner.root, "PutResourcePolicy", &policy).success();
    let hour = now().as_secs();
    let query = json!({
        "logGroupIdentifiers": [group(&owner)], "startTime": hour - 3600, "endTime": hour + 3600,
        "queryString": "fields @message",
    });
    let id = ask(&server, &stranger.root, "StartQuery", &query).success().json()["queryId"].clone();
    let results = |server: &Server| {
        let ended = program::until(program::LIMIT, || {
            let results = ask(server, &stranger.root, "GetQueryResults", &json!({ "queryId": id })).success().json();
            (results["status"] == "Complete").then(|| results.to_string())
        });
        ended.expect("the query ends")
    };
    assert!(results(&server).contains("for everybody"));
    ask(&server, &owner.root, "DeleteResourcePolicy", &json!({ "policyName": VICTIM })).success();
    write(&server, "for nobody else");
    // What the query has found is in memory, and made again where it is gone.
    server.kill_server();
    let again = results(&server);
    assert!(!again.contains("for nobody else"), "what was written after the end of the right to read it: {again}");
}
