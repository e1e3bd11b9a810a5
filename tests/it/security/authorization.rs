//! A valid signature is not enough: who is neither an account's root nor a session that a root opened is denied.

use tests::raw::Answer;
use wire::sigv4::Credentials;

use super::target::{Refusal, Scene, Target};

/// What AWS answers every caller whose signature holds, whatever their policies say.
const OPEN_TO_ALL: [&str; 2] = ["sts:GetCallerIdentity", "sts:GetSessionToken"];

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
}

fn everything_is_denied_to(pick: impl Fn(&Scene) -> (Credentials, String)) {
    let mut scene = Scene::new();
    let (credentials, arn) = pick(&scene);
    let (root, names) = (scene.account.root.clone(), scene.names());
    let before = scene.snapshot(&root, &names);
    for target in Target::served() {
        let answer = scene.call(&target, &credentials, &names);
        if OPEN_TO_ALL.contains(&target.action().as_str()) {
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
fn every_operation_is_denied_to_a_role_that_no_root_has_assumed() {
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

#[test]
fn a_denial_comes_before_any_word_about_the_input() {
    let mut scene = Scene::new();
    let (account, served) = (scene.account.clone(), Target::served());
    for target in served.iter().filter(|target| !OPEN_TO_ALL.contains(&target.action().as_str())) {
        let mut request = target.request(&scene, &scene.names());
        if target.is_json() {
            request.body = b"not json".to_vec();
        } else {
            request.body.extend_from_slice(b"&MaxItems=many");
        }
        let request = request.signed(&account.user, target.model.signing_name, tests::REGION, super::target::now());
        let answer = scene.connection.send(&request);
        is_denied(target, &answer, &format!("arn:aws:iam::{}:user/idle", account.id));
    }
}
