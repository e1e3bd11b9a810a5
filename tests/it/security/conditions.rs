//! Conditions, asked of the running server: each lets in what it says and nothing else.

use std::time::Duration;

use base::Timestamp;
use serde_json::{Value as Json, json};
use tests::raw::Answer;
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{give, make_role, session_of};
use super::names::{statement, trust};
use super::sessions::{by_root, temporary};
use super::target::{Scene, now};

const ECS: &wire::model::ServiceModel = &ecs::api::MODEL;

/// Allows one action of ecs under a condition.
fn only(action: &str, condition: Json) -> String {
    statement(json!({ "Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition }))
}

/// A role and a session of it.
fn worker(scene: &mut Scene) -> Credentials {
    make_role(scene, "worker");
    session_of(scene, "worker", None)
}

#[track_caller]
fn is_denied(answer: &Answer) {
    let failure = answer.failure(Protocol::AwsJson11);
    assert_eq!((failure.code.as_str(), failure.status), ("AccessDeniedException", 400), "{failure:?}");
}

fn cluster(scene: &mut Scene, name: &str, team: Option<&str>) {
    let tags: Vec<Json> = team.iter().map(|team| json!({ "key": "team", "value": team })).collect();
    let root = scene.account.root.clone();
    scene.json(&root, ECS, "CreateCluster", &json!({ "clusterName": name, "tags": tags })).success();
}

#[test]
fn a_resources_tags_decide_as_they_are_now() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    for (name, team) in [("ours", Some("blue")), ("theirs", Some("red")), ("nobodys", None)] {
        cluster(&mut scene, name, team);
    }
    let delete =
        |scene: &mut Scene, name: &str| scene.json(&session, ECS, "DeleteCluster", &json!({ "cluster": name }));
    let condition = json!({ "StringEquals": { "aws:ResourceTag/team": "blue" } });
    give(&mut scene, "worker", &only("ecs:DeleteCluster", condition));
    for name in ["theirs", "nobodys", "none"] {
        is_denied(&delete(&mut scene, name));
    }
    delete(&mut scene, "ours").success();
    let arn = format!("arn:aws:ecs:us-east-1:{}:cluster/theirs", scene.account.id);
    let root = scene.account.root.clone();
    let tags = json!({ "resourceArn": arn, "tags": [{ "key": "team", "value": "blue" }] });
    scene.json(&root, ECS, "TagResource", &tags).success();
    delete(&mut scene, "theirs").success();
}

#[test]
fn the_tags_that_a_request_brings_decide() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    let condition = json!({
        "StringEquals": { "aws:RequestTag/team": "blue" },
        "ForAllValues:StringEquals": { "aws:TagKeys": ["team", "stage"] },
    });
    give(&mut scene, "worker", &only("ecs:*", condition));
    let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
    let mut create = |name: &str, tags: Json| {
        let input = json!({ "clusterName": name, "tags": tags });
        scene.json(&session, ECS, "CreateCluster", &input)
    };
    is_denied(&create("a", json!([])));
    is_denied(&create("a", json!([tag("team", "red")])));
    is_denied(&create("a", json!([tag("Stage", "blue")])));
    is_denied(&create("a", json!([tag("team", "blue"), tag("owner", "me")])));
    create("a", json!([tag("team", "blue"), tag("stage", "test")])).success();
    create("b", json!([tag("team", "blue")])).success();
}

#[test]
fn the_callers_tags_decide_and_a_sessions_stand_over_its_roles() {
    let mut scene = Scene::new();
    let document = trust(&scene.account.id).replace("\"sts:AssumeRole\"", r#"["sts:AssumeRole","sts:TagSession"]"#);
    let role = [("RoleName", "worker"), ("AssumeRolePolicyDocument", &*document)];
    let tag = [("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")];
    by_root(&mut scene, &iam::api::MODEL, "CreateRole", &[role.as_slice(), &tag].concat());
    let condition = json!({ "StringEquals": { "aws:PrincipalTag/team": "blue" } });
    give(&mut scene, "worker", &only("ecs:ListClusters", condition));
    let session = session_of(&mut scene, "worker", None);
    let list = |scene: &mut Scene, by: &Credentials| scene.json(by, ECS, "ListClusters", &json!({}));
    list(&mut scene, &session).success();
    let red = [("RoleName", "worker"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "red")];
    by_root(&mut scene, &iam::api::MODEL, "TagRole", &red);
    is_denied(&list(&mut scene, &session));
    let arn = format!("arn:aws:iam::{}:role/worker", scene.account.id);
    let assume = [("RoleArn", arn.as_str()), ("RoleSessionName", "tagged")];
    let assume = [assume.as_slice(), &tag].concat();
    let tagged = temporary(&by_root(&mut scene, &sts::api::MODEL, "AssumeRole", &assume));
    list(&mut scene, &tagged).success();
    by_root(&mut scene, &iam::api::MODEL, "UntagRole", &[("RoleName", "worker"), ("TagKeys.member.1", "team")]);
    is_denied(&list(&mut scene, &session));
}

#[test]
fn the_tags_of_a_resource_and_of_the_caller_are_compared() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    cluster(&mut scene, "ours", Some("blue"));
    cluster(&mut scene, "theirs", Some("red"));
    let condition = json!({ "StringEquals": { "aws:ResourceTag/team": "${aws:PrincipalTag/team}" } });
    give(&mut scene, "worker", &only("ecs:DeleteCluster", condition));
    let delete =
        |scene: &mut Scene, name: &str| scene.json(&session, ECS, "DeleteCluster", &json!({ "cluster": name }));
    is_denied(&delete(&mut scene, "ours"));
    let blue = [("RoleName", "worker"), ("Tags.member.1.Key", "team"), ("Tags.member.1.Value", "blue")];
    by_root(&mut scene, &iam::api::MODEL, "TagRole", &blue);
    is_denied(&delete(&mut scene, "theirs"));
    delete(&mut scene, "ours").success();
}

#[test]
fn the_address_that_a_request_comes_from_decides_and_no_header_changes_it() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    let from = |address: &str| json!({ "IpAddress": { "aws:SourceIp": address } });
    let list = |scene: &mut Scene| scene.json(&session, ECS, "ListClusters", &json!({}));
    for (address, allowed) in
        [("127.0.0.0/8", true), ("127.0.0.1", true), ("10.0.0.0/8", false), ("127.0.0.2/32", false), ("::/0", false)]
    {
        give(&mut scene, "worker", &only("ecs:ListClusters", from(address)));
        let answer = list(&mut scene);
        if allowed { drop(answer.success()) } else { is_denied(&answer) }
    }
    give(&mut scene, "worker", &only("ecs:ListClusters", from("10.1.2.3")));
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", "x-amz-source-ip"] {
        let target = super::target::Target::served().into_iter().find(|target| target.name == "ListClusters").unwrap();
        let mut request = target.request(&scene, &scene.names());
        request.set(header, if header == "forwarded" { "for=10.1.2.3" } else { "10.1.2.3" });
        let request = request.signed(&session, "ecs", tests::REGION, now());
        is_denied(&scene.connection.send(&request));
    }
}

#[test]
fn the_time_of_a_request_decides() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    let at = |seconds: i64| Timestamp::from_millis(now().as_millis() + seconds * 1000).iso8601();
    let (past, future) = (at(-3600), now().plus(Duration::from_secs(3600)).iso8601());
    for (operator, instant, allowed) in [
        ("DateLessThan", &future, true),
        ("DateGreaterThan", &past, true),
        ("DateLessThan", &past, false),
        ("DateGreaterThan", &future, false),
        ("DateEquals", &past, false),
    ] {
        let condition = json!({ operator: { "aws:CurrentTime": instant } });
        give(&mut scene, "worker", &only("ecs:ListClusters", condition));
        let answer = scene.json(&session, ECS, "ListClusters", &json!({}));
        if allowed { drop(answer.success()) } else { is_denied(&answer) }
    }
    // What the client says of the time is its signature's date, not the policy's.
    let target = super::target::Target::served().into_iter().find(|target| target.name == "ListClusters").unwrap();
    let condition = json!({ "DateLessThan": { "aws:CurrentTime": at(-120) } });
    give(&mut scene, "worker", &only("ecs:ListClusters", condition));
    let request = target.request(&scene, &scene.names());
    let then = Timestamp::from_millis(now().as_millis() - 300_000);
    is_denied(&scene.connection.send(&request.signed(&session, "ecs", tests::REGION, then)));
}

#[test]
fn who_asks_and_by_what_connection_decides() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    let id = scene.account.id.clone();
    for (condition, allowed) in [
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), false),
        (json!({ "Bool": { "aws:SecureTransport": "false" } }), true),
        (json!({ "StringEquals": { "aws:PrincipalAccount": id } }), true),
        (json!({ "StringEquals": { "aws:PrincipalAccount": "000000000000" } }), false),
        (json!({ "ArnEquals": { "aws:PrincipalArn": format!("arn:aws:iam::{id}:role/worker") } }), true),
        (json!({ "ArnLike": { "aws:PrincipalArn": format!("arn:aws:iam::{id}:role/other*") } }), false),
        (json!({ "StringEquals": { "aws:RequestedRegion": tests::REGION } }), true),
        (json!({ "StringEquals": { "aws:RequestedRegion": "eu-north-1" } }), false),
        (json!({ "StringLike": { "aws:userid": "*:test" } }), true),
        (json!({ "Null": { "aws:TokenIssueTime": "true" } }), false),
        (json!({ "Bool": { "aws:MultiFactorAuthPresent": "true" } }), false),
        (json!({ "StringEquals": { "aws:PrincipalType": "User" } }), false),
    ] {
        give(&mut scene, "worker", &only("ecs:ListClusters", condition.clone()));
        let answer = scene.json(&session, ECS, "ListClusters", &json!({}));
        assert_eq!(answer.status == 200, allowed, "{condition}: {}", answer.text());
    }
}

#[test]
fn sessions_that_were_opened_before_an_instant_can_be_ended_together() {
    let mut scene = Scene::new();
    let session = worker(&mut scene);
    let revoke = |before: &str| {
        json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Effect": "Deny", "Action": "*", "Resource": "*",
              "Condition": { "DateLessThan": { "aws:TokenIssueTime": before } } },
        ] })
        .to_string()
    };
    give(&mut scene, "worker", &revoke(&Timestamp::from_millis(now().as_millis() - 60_000).iso8601()));
    scene.json(&session, ECS, "ListClusters", &json!({})).success();
    give(&mut scene, "worker", &revoke(&now().plus(Duration::from_secs(60)).iso8601()));
    is_denied(&scene.json(&session, ECS, "ListClusters", &json!({})));
    // Whoever may still assume the role gets a session that is just as old.
    let again = session_of(&mut scene, "worker", None);
    is_denied(&scene.json(&again, ECS, "ListClusters", &json!({})));
}
