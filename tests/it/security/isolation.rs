//! Another account's root, with every right in its own account, sees and changes nothing here.

use serde_json::json;
use tests::raw::{Request, form};
use tests::{Account, REGION};
use wire::model::{Protocol, ServiceModel};

use super::names::{Names, POLICY, VICTIM, trust};
use super::target::{Scene, Target, now};

/// What is written into everything that the victim has, and into no request of the attacker's.
const PRIVATE: &str = "nobody-else-reads-this";

/// Gives the account one of everything, each with [`PRIVATE`] in it. The names of it all.
fn furnish(scene: &mut Scene, account: &Account) -> Names {
    let tags = json!([{ "key": PRIVATE, "value": PRIVATE }]);
    let containers = json!([{ "name": "app", "image": PRIVATE, "memory": 64 }]);
    let requests = [
        ("CreateCluster", json!({ "clusterName": VICTIM, "tags": tags })),
        (
            "RegisterTaskDefinition",
            json!({ "family": VICTIM, "containerDefinitions": containers, "tags": tags, "taskRoleArn": PRIVATE }),
        ),
        ("PutAccountSetting", json!({ "name": "containerInsights", "value": "enabled" })),
    ];
    for (operation, input) in requests {
        let mut input = input;
        if operation == "RegisterTaskDefinition" {
            input["taskRoleArn"] = format!("arn:aws:iam::{}:role/{PRIVATE}", account.id).into();
        }
        send(scene, account, &ecs::api::MODEL, operation, Protocol::AwsJson11, &input.to_string());
    }
    let policy = POLICY.replace("\"Effect\"", &format!("\"Sid\":\"{}\",\"Effect\"", PRIVATE.replace('-', "")));
    let trust = trust(&account.id);
    let tag = [("Tags.member.1.Key", PRIVATE), ("Tags.member.1.Value", PRIVATE)];
    let path = format!("/{PRIVATE}/");
    let arn = format!("arn:aws:iam::{}:policy/{VICTIM}", account.id);
    let mut iam = |operation: &str, parameters: &[(&str, &str)]| {
        send(scene, account, &iam::api::MODEL, operation, Protocol::AwsQuery, &form(parameters))
    };
    iam("CreateUser", &[&[("UserName", VICTIM), ("Path", &path)], tag.as_slice()].concat());
    let role = [("RoleName", VICTIM), ("Description", PRIVATE), ("AssumeRolePolicyDocument", &trust)];
    iam("CreateRole", &[role.as_slice(), &tag].concat());
    iam("CreatePolicy", &[&[("PolicyName", VICTIM), ("PolicyDocument", &policy)], tag.as_slice()].concat());
    iam("CreatePolicyVersion", &[("PolicyArn", &arn), ("PolicyDocument", &policy)]);
    iam("CreateInstanceProfile", &[&[("InstanceProfileName", VICTIM), ("Path", &path)], tag.as_slice()].concat());
    iam("AddRoleToInstanceProfile", &[("InstanceProfileName", VICTIM), ("RoleName", VICTIM)]);
    for (kind, name) in [("User", "UserName"), ("Role", "RoleName")] {
        iam(&format!("Attach{kind}Policy"), &[(name, VICTIM), ("PolicyArn", &arn)]);
        let inline = [(name, VICTIM), ("PolicyName", VICTIM), ("PolicyDocument", &policy)];
        iam(&format!("Put{kind}Policy"), &inline);
    }
    let key = iam("CreateAccessKey", &[("UserName", VICTIM)]);
    Names { access_key_id: key.element("AccessKeyId").unwrap(), ..Names::of(&account.id) }
}

#[track_caller]
fn send(
    scene: &mut Scene,
    account: &Account,
    model: &ServiceModel,
    operation: &str,
    protocol: Protocol,
    input: &str,
) -> tests::raw::Answer {
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
    let seen = before.iter().filter(|(_, status, text)| *status == 200 && text.contains(PRIVATE)).count();
    assert!(seen >= 15, "the victim itself sees what it has: {before:#?}");
    for by_arn in [false, true] {
        let attacker = scene.server.account();
        let names = Names { by_arn, ..names.clone() };
        for target in Target::served() {
            let answer = scene.call(&target, &attacker.root, &names);
            let text = answer.text();
            assert!(!text.contains(PRIVATE), "{} tells another account: {text}", target.action());
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
