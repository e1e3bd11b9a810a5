//! Another account's root, with every right in its own account, sees and changes nothing here.

use serde_json::{Value as Json, json};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::authorization::{deniable, give, make_role, session_of};
use super::furniture::{furnish, guess_of_tag, is_private};
use super::names::Names;
use super::target::{Scene, Target, now, told};

/// How many reads show the victim itself something that is marked as private; the others tell names and numbers.
const READS_OF_PRIVATE_MIN: usize = 50;

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
fn a_condition_on_tags_is_no_oracle_about_another_accounts_things() {
    let mut scene = Scene::new();
    let victim = scene.account.clone();
    let names = Names { by_arn: true, ..furnish(&mut scene, &victim) };
    let attacker = scene.server.account();
    scene.account = attacker;
    make_role(&mut scene, "prober");
    let prober = session_of(&mut scene, "prober", None);
    let mut told_apart = Vec::new();
    let targets: Vec<Target> = deniable().collect();
    let all = || json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let with = |effect: &str, condition: Json| json!({ "Effect": effect, "Action": "*", "Resource": "*", "Condition": condition });
    let wrong = || json!({ "StringEquals": { "aws:ResourceTag/none": "none" } });
    for (right, wrong) in [
        (vec![with("Allow", guess_of_tag())], vec![with("Allow", wrong())]),
        (vec![all(), with("Deny", guess_of_tag())], vec![all(), with("Deny", wrong())]),
    ] {
        let mut hear = |statements: &[Json]| {
            give(&mut scene, "prober", &json!({ "Version": "2012-10-17", "Statement": statements }).to_string());
            let answers = targets.iter().map(|target| {
                let answer = scene.call(target, &prober, &names);
                let id = answer.header("x-amzn-requestid").unwrap_or_default().to_owned();
                (answer.status, told(&answer).replace(&id, "*"))
            });
            answers.collect::<Vec<_>>()
        };
        let (right, wrong) = (hear(&right), hear(&wrong));
        for (target, (right, wrong)) in targets.iter().zip(right.iter().zip(&wrong)) {
            // What the prober does in its own account may differ from one time to the next.
            if right != wrong && right.1.contains(&victim.id) {
                told_apart.push(format!("{}: {right:?} {wrong:?}", target.action()));
            }
        }
    }
    assert!(told_apart.is_empty(), "a guess is answered:\n{}", told_apart.join("\n"));
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
fn a_page_token_of_one_account_opens_nothing_in_another_or_in_another_list() {
    let mut scene = Scene::new();
    let (owner, other) = (scene.account.clone(), scene.server.account());
    let (ecs, iam, logs) = (&ecs::api::MODEL, &iam::api::MODEL, &logs::api::MODEL);
    let cloudwatch = &cloudwatch::api::MODEL;
    for name in ["one", "two", "three"] {
        for root in [&owner.root, &other.root] {
            scene.json(root, ecs, "CreateCluster", &json!({ "clusterName": name })).success();
            scene.form(root, iam, "CreateUser", &[("UserName", name)]).success();
            scene.json(root, logs, "CreateLogGroup", &json!({ "logGroupName": name })).success();
            let rule = json!({ "AlarmName": name, "AlarmRule": "FALSE" });
            scene.json(root, cloudwatch, "PutCompositeAlarm", &rule).success();
        }
    }
    let composite = json!(["CompositeAlarm"]);
    for (model, lists, size, token, more) in [
        (ecs, ["ListClusters", "ListTaskDefinitions"], "maxResults", "nextToken", json!({})),
        (logs, ["DescribeLogGroups", "DescribeQueryDefinitions"], "limit", "nextToken", json!({})),
        (
            cloudwatch,
            ["DescribeAlarms", "DescribeAlarmHistory"],
            "MaxRecords",
            "NextToken",
            json!({ "AlarmTypes": composite }),
        ),
    ] {
        let mut input = more;
        input[size] = 1.into();
        let first = scene.json(&owner.root, model, lists[0], &input).success().json();
        let kept = first[token].as_str().unwrap().to_owned();
        let mut ask = |root: &Credentials, list: &str, kept: &str| {
            let mut input = input.clone();
            input[token] = kept.into();
            if list == "DescribeQueryDefinitions" {
                input = json!({ "maxResults": 1, token: kept });
            }
            scene.json(root, model, list, &input)
        };
        ask(&owner.root, lists[0], &kept).success();
        let flipped = kept.chars().rev().collect::<String>();
        for (root, list, kept) in
            [(&other.root, lists[0], &kept), (&owner.root, lists[1], &kept), (&owner.root, lists[0], &flipped)]
        {
            let answer = ask(root, list, kept);
            assert_eq!(answer.status, 400, "{list}: {}", answer.text());
        }
    }
    let first = scene.form(&owner.root, iam, "ListUsers", &[("MaxItems", "1")]).success();
    let marker = first.element("Marker").unwrap();
    let input = [("MaxItems", "1"), ("Marker", marker.as_str())];
    scene.form(&owner.root, iam, "ListUsers", &input).success();
    for (root, list) in [(&other.root, "ListUsers"), (&owner.root, "ListRoles"), (&owner.root, "ListGroups")] {
        let answer = scene.form(root, iam, list, &input);
        assert_eq!(answer.failure(Protocol::AwsQuery).status, 400, "{list}");
    }
}

#[test]
fn a_place_among_the_events_of_one_stream_shows_nothing_of_it_in_another() {
    let mut scene = Scene::new();
    let (owner, other) = (scene.account.clone(), scene.server.account());
    let logs = &logs::api::MODEL;
    let stream = |name: &str| json!({ "logGroupName": name, "logStreamName": name });
    for (root, name, message) in
        [(&owner.root, "one", "private"), (&owner.root, "two", "other"), (&other.root, "one", "other")]
    {
        scene.json(root, logs, "CreateLogGroup", &json!({ "logGroupName": name })).success();
        scene.json(root, logs, "CreateLogStream", &stream(name)).success();
        let mut batch = stream(name);
        batch["logEvents"] = json!([{ "timestamp": now().as_millis(), "message": message }]);
        scene.json(root, logs, "PutLogEvents", &batch).success();
    }
    let events = scene.json(&owner.root, logs, "GetLogEvents", &stream("one")).success().json();
    let token = |name: &str| events[name].as_str().unwrap().to_owned();
    let (forward, backward) = (token("nextForwardToken"), token("nextBackwardToken"));
    let forged = ["f/0/s", "b/99999999999999999999999999999999999999999999999999999999/s", "f/", "/", "f/-1/s", "x"];
    let tokens = [forward, backward].into_iter().chain(forged.map(str::to_owned));
    for kept in tokens {
        for (root, name) in [(&owner.root, "two"), (&other.root, "one")] {
            let mut input = stream(name);
            input["nextToken"] = kept.as_str().into();
            let answer = scene.json(root, logs, "GetLogEvents", &input);
            let text = answer.text();
            assert!([200, 400].contains(&answer.status) && !text.contains("private"), "{kept} in {name}: {text}");
        }
    }
}
