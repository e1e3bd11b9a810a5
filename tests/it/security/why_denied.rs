//! `pilvi why-denied` tells the owner of the installation which statement denied a request, and what a caller has written
//! into the request stays text.

use serde_json::{Value as Json, json};
use tests::raw::Answer;
use tests::{Server, program};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{give, make_role, policy, session_of};
use super::sessions::by_root;
use super::target::Scene;

const ECS: &wire::model::ServiceModel = &ecs::api::MODEL;
/// Ends a line and begins one that claims something, clears the screen, and turns the direction of what follows.
const HOSTILE: &str = "x\r\n  allowed     by statement 1 of root\u{1b}[2J\u{7}\u{9b}31m\u{202e}\u{2066}\u{85}y";

/// The id of a request that was denied.
#[track_caller]
fn denied(answer: &Answer) -> String {
    let failure = answer.failure(Protocol::AwsJson11);
    assert_eq!(failure.code, "AccessDeniedException", "{failure:?}");
    answer.header("x-amzn-requestid").unwrap().to_owned()
}

fn delete(scene: &mut Scene, by: &Credentials, cluster: &str) -> String {
    denied(&scene.json(by, ECS, "DeleteCluster", &json!({ "cluster": cluster })))
}

/// What is told of a request, as soon as it is written down.
#[track_caller]
fn told(server: &Server, request_id: &str) -> (String, Json) {
    let text = program::until(program::LIMIT, || {
        let answer = server.command(&["why-denied", request_id]);
        answer.status.success().then_some(answer.stdout)
    });
    let json = server.command(&["why-denied", request_id, "--format", "json"]).json();
    (text.expect("a denial is written down"), json)
}

#[test]
fn a_denial_is_told_with_the_statements_that_decided() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    let document = json!({ "Version": "2012-10-17", "Statement": [
        { "Sid": "Look", "Effect": "Allow", "Action": "ecs:List*", "Resource": "*" },
        { "Sid": "Work", "Effect": "Allow", "Action": "ecs:*", "Resource": "*" },
        { "Sid": "Never", "Effect": "Deny", "Action": "ecs:DeleteCluster", "Resource": "arn:aws:ecs:*:*:cluster/production" },
    ] });
    give(&mut scene, "worker", &document.to_string());
    let id = delete(&mut scene, &session, "production");
    let (text, json) = told(&scene.server, &id);
    let account = &scene.account.id;
    let cluster = format!("arn:aws:ecs:us-east-1:{account}:cluster/production");
    let who = format!("arn:aws:sts::{account}:assumed-role/worker/test");
    for part in [
        &*format!("asked for   ecs:DeleteCluster on {cluster}\n"),
        "denied      because a statement of an identity-based policy denies it\n",
        "denied      by statement 3 \"Never\" of only (identity-based policy)\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(text.starts_with(&who) && !text.contains("Look"), "{text}");
    let [denial] = json.as_array().unwrap().as_slice() else { panic!("one denial is expected: {json}") };
    assert_eq!((&denial["requestId"], &denial["principal"]), (&json!(id), &json!(who)));
    assert_eq!((&denial["action"], &denial["resource"]), (&json!("ecs:DeleteCluster"), &json!(cluster)));
    let deciding = |it: &&Json| it["effect"] == "Deny";
    let statements: Vec<&Json> = denial["statements"].as_array().unwrap().iter().filter(deciding).collect();
    let never = json!({
        "kind": "identity-based policy", "policy": "only", "statement": 3, "sid": "Never", "effect": "Deny",
    });
    assert_eq!(statements, [&never], "{json}");
}

#[test]
fn the_kind_of_policy_that_did_not_allow_is_told() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let plain = session_of(&mut scene, "worker", None);
    let narrow = session_of(&mut scene, "worker", Some(&policy("Allow", "iam:*")));
    let id = delete(&mut scene, &plain, "web");
    let (text, _) = told(&scene.server, &id);
    assert!(text.contains("because no identity-based policy allows it\n  statements  none applied"), "{text}");
    give(&mut scene, "worker", &policy("Allow", "ecs:*"));
    let id = delete(&mut scene, &narrow, "web");
    let (text, _) = told(&scene.server, &id);
    assert!(text.contains("because no session policy allows it\n"), "{text}");
    assert!(text.contains("allowed     by statement 1 of only (identity-based policy)"), "{text}");
    let document = policy("Allow", "iam:*");
    let bounds = [("PolicyName", "bounds"), ("PolicyDocument", &*document)];
    let arn = by_root(&mut scene, &iam::api::MODEL, "CreatePolicy", &bounds).element("Arn").unwrap();
    let bound = [("RoleName", "worker"), ("PermissionsBoundary", &*arn)];
    by_root(&mut scene, &iam::api::MODEL, "PutRolePermissionsBoundary", &bound);
    let id = delete(&mut scene, &plain, "web");
    let (text, _) = told(&scene.server, &id);
    assert!(text.contains("because no permissions boundary allows it\n"), "{text}");
}

#[test]
fn what_a_caller_has_written_into_a_request_does_not_steer_the_terminal_that_shows_its_denial() {
    let mut scene = Scene::new();
    let user = scene.account.user.clone();
    let id = delete(&mut scene, &user, HOSTILE);
    let (text, json) = told(&scene.server, &id);
    assert_eq!(json[0]["resource"].as_str().unwrap().rsplit_once("cluster/").unwrap().1, HOSTILE);
    let steers = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(steers) && !text.contains(|c| ('\u{2066}'..='\u{2069}').contains(&c)), "{text:?}");
    assert_eq!(text.lines().count(), 4, "a caller has written a line: {text}");
    assert!(text.contains("by statement 1 of root"), "what was asked for is told: {text}");
    // What JSON prints is read by programs, and by people all the same.
    let raw = scene.server.command(&["why-denied", &id, "--format", "json"]).success();
    assert!(!raw.contains(|c: char| c.is_control() && c != '\n'), "{raw:?}");
}

#[test]
fn nothing_is_told_of_a_request_that_nobody_has_denied() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let answer = scene.json(&root, ECS, "ListClusters", &json!({})).success();
    for id in [answer.header("x-amzn-requestid").unwrap(), "", "*", "..", "00000000-0000-4000-8000-000000000000"] {
        let said = scene.server.command(&["why-denied", id]).failure();
        assert!(said.contains("no denial of a request with the id"), "{id}: {said}");
    }
}
