//! What people read of log events: live tails, which stay open, and `pilvi logs` on a terminal.

use std::io::Read;

use serde_json::{Value as Json, json};
use tests::raw::{Connection, Request};
use tests::{REGION, Server};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{give, make_role, policy, session_of};
use super::target::{Scene, now};

const LOGS: &wire::model::ServiceModel = &logs::api::MODEL;
const GROUP: &str = "tail";

fn tail(host: &str, account: &str, by: &Credentials) -> Request {
    let arn = format!("arn:aws:logs:{REGION}:{account}:log-group:{GROUP}");
    let input = json!({ "logGroupIdentifiers": [arn] }).to_string();
    Request::of(host, LOGS, "StartLiveTail", Protocol::AwsJson11, &input).signed(by, "logs", REGION, now())
}

fn group(scene: &mut Scene, by: &Credentials, events: &Json) {
    let stream = json!({ "logGroupName": GROUP, "logStreamName": GROUP });
    let mut batch = stream.clone();
    batch["logEvents"] = events.clone();
    scene.json(by, LOGS, "CreateLogGroup", &json!({ "logGroupName": GROUP })).success();
    scene.json(by, LOGS, "CreateLogStream", &stream).success();
    scene.json(by, LOGS, "PutLogEvents", &batch).success();
}

#[test]
fn a_live_tail_opens_for_whom_may_and_for_nobody_else() {
    let mut scene = Scene::new();
    let (host, account) = (scene.host.clone(), scene.account.clone());
    group(&mut scene, &account.root, &json!([{ "timestamp": now().as_millis(), "message": "before" }]));
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    let stranger = scene.server.account();
    for by in [&session, &account.user, &stranger.root] {
        let failure = scene.connection.send(&tail(&host, &account.id, by)).failure(Protocol::AwsJson11);
        assert_eq!((failure.code.as_str(), failure.status), ("AccessDeniedException", 400), "{failure:?}");
    }
    give(&mut scene, "worker", &policy("Allow", "logs:StartLiveTail"));
    for by in [&session, &account.root] {
        let answer = scene.connection.send(&tail(&host, &account.id, by)).success();
        assert!(answer.is_stream(), "{:?}", answer.headers);
    }
}

#[test]
fn live_tails_that_nobody_reads_are_few_and_end_with_their_connections() {
    let mut scene = Scene::new();
    let (host, account) = (scene.host.clone(), scene.account.clone());
    group(&mut scene, &account.root, &json!([{ "timestamp": now().as_millis(), "message": "before" }]));
    let request = tail(&host, &account.id, &account.root);
    let bytes = super::target::whole(&request);
    let mut open = Vec::new();
    let refused = loop {
        // Its first bytes are read, its events never.
        let mut stream = Connection::to(scene.server.address()).open().unwrap();
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
        let mut first = [0; 16];
        stream.read_exact(&mut first).unwrap();
        if !first.starts_with(b"HTTP/1.1 200") {
            break first;
        }
        open.push(stream);
        assert!(open.len() <= 100, "there is no end to them");
    };
    assert!(refused.starts_with(b"HTTP/1.1 400") && open.len() >= 10, "{} {refused:?}", open.len());
    // Another account has tails of its own, and everything else goes on.
    let other = scene.server.account();
    group(&mut scene, &other.root, &json!([{ "timestamp": now().as_millis(), "message": "before" }]));
    scene.connection.send(&tail(&host, &other.id, &other.root)).success();
    drop(open);
    let again = tests::program::until(tests::program::LIMIT, || {
        let answer = scene.connection.send(&tail(&host, &account.id, &account.root));
        (answer.status == 200).then_some(())
    });
    assert!(again.is_some(), "the places of those that have gone stay taken");
}

#[test]
fn an_event_does_not_steer_the_terminal_that_shows_it() {
    let mut scene = Scene::new();
    let root = scene.server.root();
    let hostile =
        "one\r\n2026-01-01T00:00:00Z tail forged\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{2066}\u{85}end\n";
    group(&mut scene, &root, &json!([{ "timestamp": now().as_millis(), "message": hostile }]));
    let shown = logs_command(&scene.server);
    assert_eq!(shown.lines().count(), 1, "an event is a line: {shown:?}");
    assert!(shown.contains("forged") && shown.contains("end"), "{shown:?}");
    let turns = |c: char| ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    assert!(!shown.contains(|c: char| (c.is_control() && c != '\n') || turns(c)), "{shown:?}");
}

fn logs_command(server: &Server) -> String {
    server.command(&["logs", GROUP]).success()
}
