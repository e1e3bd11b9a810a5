//! Another account's root, with every right in its own account, sees and changes nothing here.

use serde_json::json;
use tests::raw::{Answer, Request, form};
use tests::{Account, REGION};
use wire::model::{Protocol, ServiceModel};

use super::furniture::{furnish, is_private};
use super::names::Names;
use super::target::{Scene, Target, now, told};

/// How many reads show the victim itself something that is marked as private; the others tell names and numbers.
const READS_OF_PRIVATE_MIN: usize = 50;

/// Sends a request of an account's root, which succeeds.
#[track_caller]
fn send(
    scene: &mut Scene,
    account: &Account,
    model: &ServiceModel,
    operation: &str,
    protocol: Protocol,
    input: &str,
) -> Answer {
    let request = Request::of(&scene.host, model, operation, protocol, input);
    let request = request.signed(&account.root, model.signing_name, REGION, now());
    let answer = scene.connection.send(&request);
    assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
    answer
}

#[test]
fn no_operation_lets_another_account_see_or_change_anything() {
    let mut scene = Scene::new();
    let victim = scene.account.clone();
    let names = furnish(&mut scene, &victim);
    let before = scene.snapshot(&victim.root, &names);
    for (action, status, text) in &before {
        assert!(*status == 200 || action == "iam:GetServiceLinkedRoleDeletionStatus", "{action}: {status} {text}");
    }
    let seen = before.iter().filter(|(_, _, text)| is_private(text)).count();
    assert!(seen >= READS_OF_PRIVATE_MIN, "the victim itself sees what it has: {seen} {before:#?}");
    for by_arn in [false, true] {
        let attacker = scene.server.account();
        let names = Names { by_arn, ..names.clone() };
        for target in Target::served() {
            let answer = scene.call(&target, &attacker.root, &names);
            let text = told(&answer);
            assert!(!is_private(&text), "{} tells another account: {text}", target.action());
            // Whose key it is whose id one knows, everybody is told.
            if answer.status == 200 && target.is_read() && target.name != "GetAccessKeyInfo" {
                assert!(!text.contains(&victim.id), "{} tells another account: {text}", target.action());
            }
            assert!(answer.status < 500, "{}: {} {text}", target.action(), answer.status);
        }
    }
    assert_eq!(before, scene.snapshot(&victim.root, &names), "another account has changed something");
}

#[test]
fn a_role_is_not_assumed_by_an_account_that_it_does_not_trust() {
    let mut scene = Scene::new();
    let victim = scene.account.clone();
    let names = furnish(&mut scene, &victim);
    let attacker = scene.server.account();
    let assume = Target::served().into_iter().find(|target| target.name == "AssumeRole").unwrap();
    let failure = scene.call(&assume, &attacker.root, &names).failure(assume.protocol);
    assert_eq!((failure.code.as_str(), failure.status), ("AccessDenied", 403), "{failure:?}");
    scene.call(&assume, &victim.root, &names).success();
}

#[test]
fn a_page_token_of_one_account_opens_nothing_in_another() {
    let mut scene = Scene::new();
    let (owner, other) = (scene.account.clone(), scene.server.account());
    for name in ["one", "two", "three"] {
        for account in [&owner, &other] {
            let input = json!({ "clusterName": name }).to_string();
            send(&mut scene, account, &ecs::api::MODEL, "CreateCluster", Protocol::AwsJson11, &input);
            let input = form(&[("UserName", name)]);
            send(&mut scene, account, &iam::api::MODEL, "CreateUser", Protocol::AwsQuery, &input);
        }
    }
    let first = send(
        &mut scene,
        &owner,
        &ecs::api::MODEL,
        "ListClusters",
        Protocol::AwsJson11,
        &json!({ "maxResults": 1 }).to_string(),
    );
    let token = first.json()["nextToken"].as_str().unwrap().to_owned();
    let input = json!({ "maxResults": 1, "nextToken": token }).to_string();
    send(&mut scene, &owner, &ecs::api::MODEL, "ListClusters", Protocol::AwsJson11, &input);
    refused(&mut scene, &other, &ecs::api::MODEL, "ListClusters", Protocol::AwsJson11, &input);
    refused(&mut scene, &owner, &ecs::api::MODEL, "ListTaskDefinitions", Protocol::AwsJson11, &input);

    let first =
        send(&mut scene, &owner, &iam::api::MODEL, "ListUsers", Protocol::AwsQuery, &form(&[("MaxItems", "1")]));
    let marker = first.element("Marker").unwrap();
    let input = form(&[("MaxItems", "1"), ("Marker", &marker)]);
    send(&mut scene, &owner, &iam::api::MODEL, "ListUsers", Protocol::AwsQuery, &input);
    refused(&mut scene, &other, &iam::api::MODEL, "ListUsers", Protocol::AwsQuery, &input);
    refused(&mut scene, &owner, &iam::api::MODEL, "ListRoles", Protocol::AwsQuery, &input);
}

#[track_caller]
fn refused(
    scene: &mut Scene,
    account: &Account,
    model: &ServiceModel,
    operation: &str,
    protocol: Protocol,
    input: &str,
) {
    let request = Request::of(&scene.host, model, operation, protocol, input);
    let answer = scene.connection.send(&request.signed(&account.root, model.signing_name, REGION, now()));
    let failure = answer.failure(protocol);
    assert_eq!(failure.status, 400, "{operation}: {failure:?}");
}
