//! Handing a role to a service needs the right to pass this role to this service.

use serde_json::{Value as Json, json};
use tests::raw::Answer;
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{give, make_role, session_of};
use super::target::Scene;

const ROLES: [&str; 2] = ["taskRoleArn", "executionRoleArn"];

fn register(scene: &mut Scene, by: &Credentials, member: &str, role: &str) -> Answer {
    let containers = json!([{ "name": "app", "image": "busybox", "memory": 64 }]);
    let input = json!({ "family": "web", "containerDefinitions": containers, member: role });
    scene.json(by, &ecs::api::MODEL, "RegisterTaskDefinition", &input)
}

fn arn(account: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/{role}")
}

/// Lets register task definitions, and pass what the statement says.
fn rights(pass: &Json) -> String {
    let register = json!({ "Effect": "Allow", "Action": "ecs:*", "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [register, pass] }).to_string()
}

#[track_caller]
fn is_denied(answer: &Answer, role: &str) {
    let failure = answer.failure(Protocol::AwsJson11);
    assert_eq!((failure.code.as_str(), failure.status), ("AccessDeniedException", 400), "{failure:?}");
    let told = format!("is not authorized to perform: iam:PassRole on resource: {role} ");
    assert!(failure.message.contains(&told), "{failure:?}");
}

#[test]
fn a_role_is_passed_by_whoever_may_pass_this_role_to_this_service() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    let own = scene.account.id.clone();
    let (wanted, other) = (arn(&own, "app"), arn(&own, "admin"));
    let to = |service: &str| {
        let condition = json!({ "StringEquals": { "iam:PassedToService": service } });
        json!({ "Effect": "Allow", "Action": "iam:PassRole", "Resource": wanted, "Condition": condition })
    };
    let nothing = json!({ "Effect": "Allow", "Action": "iam:GetRole", "Resource": "*" });
    for member in ROLES {
        for pass in [&nothing, &to("ec2.amazonaws.com"), &to("ecs.amazonaws.com")] {
            give(&mut scene, "worker", &rights(pass));
            is_denied(&register(&mut scene, &session, member, &wanted), &wanted);
        }
        give(&mut scene, "worker", &rights(&to("ecs-tasks.amazonaws.com")));
        register(&mut scene, &session, member, &wanted).success();
        is_denied(&register(&mut scene, &session, member, &other), &other);
    }
    // A name alone is the ARN of a role of the account.
    is_denied(&register(&mut scene, &session, "taskRoleArn", "admin"), &other);
    register(&mut scene, &session, "taskRoleArn", "app").success();
}

#[test]
fn both_roles_of_a_request_must_be_passable() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    let own = scene.account.id.clone();
    let (good, bad) = (arn(&own, "app"), arn(&own, "admin"));
    give(&mut scene, "worker", &rights(&json!({ "Effect": "Allow", "Action": "iam:PassRole", "Resource": good })));
    let containers = json!([{ "name": "app", "image": "busybox", "memory": 64 }]);
    for (task, execution, denied) in [(&good, &bad, true), (&bad, &good, true), (&good, &good, false)] {
        let input = json!({
            "family": "web", "containerDefinitions": containers, "taskRoleArn": task, "executionRoleArn": execution,
        });
        let answer = scene.json(&session, &ecs::api::MODEL, "RegisterTaskDefinition", &input);
        if denied { is_denied(&answer, &bad) } else { drop(answer.success()) }
    }
}

#[test]
fn nobody_passes_a_role_of_another_account() {
    let mut scene = Scene::new();
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    give(&mut scene, "worker", &rights(&json!({ "Effect": "Allow", "Action": "*", "Resource": "*" })));
    let elsewhere = scene.server.account();
    let root = scene.account.root.clone();
    let theirs = arn(&elsewhere.id, "app");
    let list = json!({ "familyPrefix": "web" });
    for by in [&session, &root] {
        for member in ROLES {
            let failure = register(&mut scene, by, member, &theirs).failure(Protocol::AwsJson11);
            assert_eq!(failure.status, 400, "{failure:?}");
            assert!(failure.message.contains("Cross-account pass role is not allowed"), "{failure:?}");
        }
    }
    let known = scene.json(&root, &ecs::api::MODEL, "ListTaskDefinitions", &list).success().json();
    assert_eq!(known["taskDefinitionArns"], json!([]), "a refused registration was kept");
}
