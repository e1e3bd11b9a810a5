//! A valid signature is not enough: an account's root may do everything in it, everybody else what a policy allows.

use serde_json::json;
use tests::REGION;
use tests::raw::{Answer, Request, form};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::names::{VICTIM, trust};
use super::sessions::{by_root, call, temporary};
use super::target::{Refusal, Scene, Target, now};

/// What AWS answers every caller whose signature holds, whatever their policies say.
const OPEN_TO_ALL: [&str; 2] = ["sts:GetCallerIdentity", "sts:GetSessionToken"];
/// What is decided by something that a caller without rights cannot have: a pointer to an event, which a query hands
/// out. Tests of their own attack it.
const DECIDED_BY_CONTENT: [&str; 1] = ["logs:GetLogRecord"];

/// Whether an operation answers callers without rights, be it with an error of its own.
pub(super) fn is_decided_elsewhere(target: &Target) -> bool {
    let action = target.action();
    let open = OPEN_TO_ALL.iter().chain(&DECIDED_BY_CONTENT).any(|open| *open == action);
    open || target.is_unsigned()
}

#[track_caller]
fn is_denied(target: &Target, answer: &Answer, arn: &str) {
    let failure = answer.failure(target.protocol);
    let action = target.action();
    assert!(Refusal::DENIED.is(target.protocol, &failure), "{action}: {failure:?}");
    let (who, why) = (
        format!("User: {arn} is not authorized to perform: {action} "),
        format!(" because no identity-based policy allows the {action} action"),
    );
    assert!(failure.message.starts_with(&who) && failure.message.ends_with(&why), "{failure:?}");
    // The resource is one of the service that is asked, of the caller's account: what policies are written for.
    let resource = failure.message.split(" on resource: ").nth(1).and_then(|rest| rest.split(" because ").next());
    let account = arn.split(':').nth(4).unwrap();
    let service = if action == "sts:AssumeRole" { "iam" } else { target.model.name };
    let is_named = |resource: &str| {
        let parts: Vec<&str> = resource.splitn(6, ':').collect();
        matches!(parts[..], ["arn", "aws", of, _, owner, name] if of == service && owner == account && !name.is_empty())
    };
    // AWS's own words, which no policy names.
    let unnamed = ["*", "policy path /"];
    assert!(resource.is_some_and(|it| unnamed.contains(&it) || is_named(it)), "{failure:?}");
}

fn everything_is_denied_to(pick: impl Fn(&Scene) -> (Credentials, String)) {
    let mut scene = Scene::new();
    let (credentials, arn) = pick(&scene);
    let (root, names) = (scene.account.root.clone(), scene.names());
    let before = scene.snapshot(&root, &names);
    for target in Target::served() {
        let answer = scene.call(&target, &credentials, &names);
        if is_decided_elsewhere(&target) {
            let is_open = OPEN_TO_ALL.contains(&target.action().as_str());
            assert!(answer.status != 200 || is_open, "{}: {}", target.action(), answer.text());
            continue;
        }
        is_denied(&target, &answer, &arn);
    }
    assert_eq!(before, scene.snapshot(&root, &names), "a denied request had an effect");
}

#[test]
fn every_operation_is_denied_to_a_user() {
    everything_is_denied_to(|scene| {
        (scene.account.user.clone(), format!("arn:aws:iam::{}:user/idle", scene.account.id))
    });
}

#[test]
fn every_operation_is_denied_to_a_role_without_policies() {
    everything_is_denied_to(|scene| {
        (scene.account.role.clone(), format!("arn:aws:sts::{}:assumed-role/idle/configured", scene.account.id))
    });
}

#[test]
fn everybody_may_ask_who_they_are() {
    let mut scene = Scene::new();
    let (account, names) = (scene.account.clone(), scene.names());
    let whoami = Target::served().into_iter().find(|target| target.name == "GetCallerIdentity").unwrap();
    for (credentials, arn) in [
        (&account.root, format!("arn:aws:iam::{}:root", account.id)),
        (&account.user, format!("arn:aws:iam::{}:user/idle", account.id)),
        (&account.role, format!("arn:aws:sts::{}:assumed-role/idle/configured", account.id)),
    ] {
        let answer = scene.call(&whoami, credentials, &names).success();
        assert_eq!(answer.element("Arn"), Some(arn));
        assert_eq!(answer.element("Account"), Some(account.id.clone()));
    }
}

/// A role that its account's root may assume, and a session of it. A policy document narrows the session.
pub(super) fn session_of(scene: &mut Scene, role: &str, policy: Option<&str>) -> Credentials {
    let root = scene.account.root.clone();
    let arn = format!("arn:aws:iam::{}:role/{role}", scene.account.id);
    let mut input = vec![("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
    input.extend(policy.map(|policy| ("Policy", policy)));
    temporary(&call(scene, &root, &sts::api::MODEL, "AssumeRole", &input))
}

pub(super) fn make_role(scene: &mut Scene, name: &str) {
    let trust = trust(&scene.account.id);
    let input = [("RoleName", name), ("AssumeRolePolicyDocument", &*trust)];
    by_root(scene, &iam::api::MODEL, "CreateRole", &input);
}

/// Gives a role one inline policy, in the place of the one before.
pub(super) fn give(scene: &mut Scene, role: &str, policy: &str) {
    let input = [("RoleName", role), ("PolicyName", "only"), ("PolicyDocument", policy)];
    by_root(scene, &iam::api::MODEL, "PutRolePolicy", &input);
}

pub(super) fn policy(effect: &str, action: &str) -> String {
    let statement = json!({ "Effect": effect, "Action": action, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// Whether the gate stopped the request because of the operation's own action.
pub(super) fn is_stopped(target: &Target, answer: &Answer) -> bool {
    if answer.status == 200 {
        return false;
    }
    let failure = answer.failure(target.protocol);
    let action = target.action();
    let told = format!("is not authorized to perform: {action} on");
    let why = format!("because no identity-based policy allows the {action} action");
    Refusal::DENIED.is(target.protocol, &failure) && failure.message.contains(&told) && failure.message.ends_with(&why)
}

/// Every operation that somebody can be denied.
pub(super) fn deniable() -> impl Iterator<Item = Target> {
    Target::served().into_iter().filter(|target| !is_decided_elsewhere(target))
}

/// Of the same service, but nothing that a request of an attack is about.
fn others(target: &Target, account: &str) -> Vec<String> {
    let (service, names) = match target.model.name {
        "ecs" => ("ecs:*", &["cluster/other", "task-definition/other:*"][..]),
        "logs" => ("logs:*", &["log-group:other:*"][..]),
        "cloudwatch" => ("cloudwatch:*", &["alarm:other"][..]),
        _ => ("iam:", &["user/other", "role/other", "group/other", "policy/other", "oidc-provider/other"][..]),
    };
    names.iter().map(|name| format!("arn:aws:{service}:{account}:{name}")).collect()
}

#[test]
fn a_role_with_one_action_may_do_that_and_nothing_else_from_the_moment_it_has_it() {
    let mut scene = Scene::new();
    let names = scene.names();
    make_role(&mut scene, VICTIM);
    make_role(&mut scene, "worker");
    let session = session_of(&mut scene, "worker", None);
    let targets: Vec<Target> = deniable().collect();
    let mut before = None;
    for (index, target) in targets.iter().enumerate() {
        // The next action is allowed, too, but on other resources.
        let rest = targets.iter().cycle().skip(index + 1);
        let next = { rest }.find(|next| next.action() != target.action()).expect("there is another action");
        let document = json!({ "Version": "2012-10-17", "Statement": [
            { "Effect": "Allow", "Action": target.action(), "Resource": "*" },
            { "Effect": "Allow", "Action": next.action(), "Resource": others(next, &scene.account.id) },
        ] });
        give(&mut scene, "worker", &document.to_string());
        let answer = scene.call(target, &session, &names);
        assert!(!is_stopped(target, &answer), "{} is allowed: {}", target.action(), answer.text());
        let answer = scene.call(next, &session, &names);
        assert!(is_stopped(next, &answer), "{} is not allowed here: {}", next.action(), answer.text());
        if let Some(before) = before.filter(|before: &&Target| before.action() != target.action()) {
            let answer = scene.call(before, &session, &names);
            assert!(is_stopped(before, &answer), "{} is not allowed any more: {}", before.action(), answer.text());
        }
        before = Some(target);
    }
}

#[test]
fn a_statement_that_denies_wins_over_one_that_allows_everything() {
    let mut scene = Scene::new();
    let names = scene.names();
    make_role(&mut scene, "worker");
    let attach = [("RoleName", "worker"), ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")];
    by_root(&mut scene, &iam::api::MODEL, "AttachRolePolicy", &attach);
    let session = session_of(&mut scene, "worker", None);
    for target in deniable() {
        give(&mut scene, "worker", &policy("Deny", &target.action()));
        let failure = scene.call(&target, &session, &names).failure(target.protocol);
        let why = "with an explicit deny in an identity-based policy";
        assert!(Refusal::DENIED.is(target.protocol, &failure) && failure.message.contains(why), "{failure:?}");
    }
}

#[test]
fn a_session_policy_narrows_a_session_to_what_it_allows() {
    let mut scene = Scene::new();
    let names = scene.names();
    make_role(&mut scene, VICTIM);
    make_role(&mut scene, "worker");
    give(&mut scene, "worker", &policy("Allow", "*"));
    let narrow = session_of(&mut scene, "worker", Some(&policy("Allow", "ecs:ListClusters")));
    for target in deniable() {
        let answer = scene.call(&target, &narrow, &names);
        if target.action() == "ecs:ListClusters" {
            answer.success();
            continue;
        }
        let failure = answer.failure(target.protocol);
        let why = format!("because no session policy allows the {} action", target.action());
        assert!(Refusal::DENIED.is(target.protocol, &failure) && failure.message.ends_with(&why), "{failure:?}");
    }
    give(&mut scene, "worker", &policy("Allow", "ecs:CreateCluster"));
    let list = Target::served().into_iter().find(|target| target.action() == "ecs:ListClusters").unwrap();
    assert!(is_stopped(&list, &scene.call(&list, &narrow, &names)), "a session policy gives no rights");
}

#[test]
fn a_permissions_boundary_bounds_what_policies_allow() {
    let mut scene = Scene::new();
    let names = scene.names();
    make_role(&mut scene, "worker");
    give(&mut scene, "worker", &policy("Allow", "*"));
    let document = policy("Allow", "ecs:ListClusters");
    by_root(&mut scene, &iam::api::MODEL, "CreatePolicy", &[("PolicyName", "bounds"), ("PolicyDocument", &document)]);
    let arn = format!("arn:aws:iam::{}:policy/bounds", scene.account.id);
    let bound = [("RoleName", "worker"), ("PermissionsBoundary", &*arn)];
    by_root(&mut scene, &iam::api::MODEL, "PutRolePermissionsBoundary", &bound);
    let session = session_of(&mut scene, "worker", None);
    for target in deniable() {
        let answer = scene.call(&target, &session, &names);
        if target.action() == "ecs:ListClusters" {
            answer.success();
            continue;
        }
        let failure = answer.failure(target.protocol);
        let why = format!("because no permissions boundary allows the {} action", target.action());
        assert!(Refusal::DENIED.is(target.protocol, &failure) && failure.message.ends_with(&why), "{failure:?}");
    }
}

#[test]
fn another_account_assumes_a_role_only_where_both_sides_let_it() {
    let mut scene = Scene::new();
    let stranger = scene.server.account();
    make_role(&mut scene, "closed");
    let trust = trust(&stranger.id);
    let open = [("RoleName", "open"), ("AssumeRolePolicyDocument", &*trust)];
    by_root(&mut scene, &iam::api::MODEL, "CreateRole", &open);
    let assume = |scene: &mut Scene, role: &str, by: &Credentials| {
        let arn = format!("arn:aws:iam::{}:role/{role}", scene.account.id);
        let input = form(&[("RoleArn", &arn), ("RoleSessionName", "stranger")]);
        let request = Request::of(&scene.host, &sts::api::MODEL, "AssumeRole", Protocol::AwsQuery, &input);
        scene.connection.send(&request.signed(by, "sts", REGION, now()))
    };
    let denied = assume(&mut scene, "closed", &stranger.root).failure(Protocol::AwsQuery);
    assert_eq!((denied.code.as_str(), denied.status), ("AccessDenied", 403), "its trust policy names another");
    let denied = assume(&mut scene, "open", &stranger.user).failure(Protocol::AwsQuery);
    assert_eq!((denied.code.as_str(), denied.status), ("AccessDenied", 403), "its own account allows nothing");
    assume(&mut scene, "open", &stranger.root).success();
}
