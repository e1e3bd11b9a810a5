//! Temporary credentials: good as they were given out, for as long as they were given out, and together only.

use std::sync::Arc;
use std::time::Duration;

use base::{Principal, SystemRng, Timestamp};
use platform::identity::{Session, issue_session};
use platform::{Keyring, Platform};
use tests::raw::{Answer, Request};
use tests::{Account, REGION, Server};
use wire::model::ServiceModel;
use wire::sigv4::{Credentials, SecretAccessKey};

use super::authorization::is_decided_elsewhere;
use super::names::trust;
use super::target::{Refusal, Scene, Target, now, whole};

/// A call that succeeds.
#[track_caller]
pub(super) fn call(
    scene: &mut Scene,
    by: &Credentials,
    model: &ServiceModel,
    operation: &str,
    input: &[(&str, &str)],
) -> Answer {
    scene.form(by, model, operation, input).success()
}

#[track_caller]
pub(super) fn by_root(scene: &mut Scene, model: &ServiceModel, operation: &str, input: &[(&str, &str)]) -> Answer {
    let root = scene.account.root.clone();
    call(scene, &root, model, operation, input)
}

/// The credentials in an answer.
#[track_caller]
pub(super) fn temporary(answer: &Answer) -> Credentials {
    let element = |name: &str| answer.element(name).unwrap_or_else(|| panic!("no {name}: {}", answer.text()));
    Credentials {
        access_key_id: element("AccessKeyId"),
        secret_access_key: SecretAccessKey::new(element("SecretAccessKey")),
        session_token: Some(element("SessionToken")),
    }
}

/// What `get-session-token` hands to a key's owner.
fn session_of(scene: &mut Scene, credentials: &Credentials) -> Credentials {
    temporary(&call(scene, credentials, &sts::api::MODEL, "GetSessionToken", &[("DurationSeconds", "900")]))
}

/// A session of the account's root that ends at `expires`, sealed with `keyring`.
fn sealed_with(keyring: Keyring, account: &Account, expires: Timestamp) -> Credentials {
    let platform = Platform { keyring: Arc::new(keyring), rng: Arc::new(SystemRng), ..Platform::in_memory() };
    let session = Session {
        principal: Principal::root(account.id.parse().unwrap()),
        issued: Timestamp::from_millis(expires.as_millis() - 900_000),
        expires,
        session_policy: None,
        policy_arns: Vec::new(),
        tags: Default::default(),
        transitive_tag_keys: Vec::new(),
        source_identity: None,
        external_id: None,
        keys: Default::default(),
    };
    let issued = issue_session(&platform, session);
    Credentials {
        access_key_id: issued.access_key_id,
        secret_access_key: issued.secret_access_key,
        session_token: Some(issued.session_token),
    }
}

/// The server's own keyring, as only its owner and root can read it.
fn keyring_of(server: &Server) -> Keyring {
    let text = std::fs::read(server.data_dir().join("keys/sealing.json")).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let digits = file["key"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    let key: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    Keyring::new(&key.try_into().unwrap(), Arc::new(SystemRng))
}

fn signed(target: &Target, request: Request, credentials: &Credentials) -> Vec<u8> {
    whole(&request.signed(credentials, target.model.signing_name, REGION, now()))
}

#[test]
fn a_session_of_the_root_is_let_in_wherever_the_root_is() {
    let mut scene = Scene::new();
    let (root, names) = (scene.account.root.clone(), scene.names());
    let session = session_of(&mut scene, &root);
    for target in Target::served() {
        let answer = scene.call(&target, &session, &names);
        if answer.status != 200 {
            let failure = answer.failure(target.protocol);
            let gates = [Refusal::UNKNOWN_KEY, Refusal::WRONG_SIGNATURE, Refusal::EXPIRED];
            let stopped = gates.iter().any(|gate| gate.is(target.protocol, &failure));
            assert!(!stopped && failure.status < 500, "{}: {failure:?}", target.action());
        }
    }
}

#[test]
fn no_operation_answers_an_expired_session() {
    let mut scene = Scene::new();
    let just_over = Timestamp::from_millis(now().as_millis() - 1000);
    let expired = sealed_with(keyring_of(&scene.server), &scene.account, just_over);
    let alive = sealed_with(keyring_of(&scene.server), &scene.account, now().plus(Duration::from_secs(900)));
    let whoami = Target::served().into_iter().find(|target| target.name == "GetCallerIdentity").unwrap();
    let names = scene.names();
    scene.call(&whoami, &alive, &names).success();
    scene.every_operation_refuses(Refusal::EXPIRED, "expired", |target, request, _| signed(target, request, &expired));
}

#[test]
fn no_operation_answers_a_session_that_another_installation_has_sealed() {
    let mut scene = Scene::new();
    let foreign = Keyring::new(&[7; 32], Arc::new(SystemRng));
    let foreign = sealed_with(foreign, &scene.account, now().plus(Duration::from_secs(900)));
    scene.every_operation_refuses(Refusal::UNKNOWN_KEY, "invalid", |target, request, _| {
        signed(target, request, &foreign)
    });
}

#[test]
fn no_operation_answers_a_session_whose_token_was_changed_in_one_letter() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let session = session_of(&mut scene, &root);
    let token = session.session_token.clone().unwrap();
    for at in [0, token.len() / 2, token.trim_end_matches('=').len() - 2] {
        let mut letters = token.clone().into_bytes();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let changed = Credentials { session_token: Some(String::from_utf8(letters).unwrap()), ..session.clone() };
        scene.every_operation_refuses(Refusal::UNKNOWN_KEY, "invalid", |target, request, _| {
            signed(target, request, &changed)
        });
    }
}

#[test]
fn no_operation_answers_a_session_without_its_token_or_with_the_token_of_another_one() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let (session, other) = (session_of(&mut scene, &root), session_of(&mut scene, &root));
    let bare = Credentials { session_token: None, ..session.clone() };
    let crossed = Credentials { session_token: other.session_token.clone(), ..session.clone() };
    let lent = Credentials { session_token: session.session_token.clone(), ..root };
    let garbage = Credentials { session_token: Some("garbage".to_owned()), ..session };
    for credentials in [bare, crossed, lent, garbage] {
        scene.every_operation_refuses(Refusal::UNKNOWN_KEY, "invalid", |target, request, _| {
            signed(target, request, &credentials)
        });
    }
}

#[test]
fn no_operation_answers_a_session_with_another_secret() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let (session, other) = (session_of(&mut scene, &root), session_of(&mut scene, &root));
    let forged = Credentials { secret_access_key: other.secret_access_key, ..session };
    scene.every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, _| {
        signed(target, request, &forged)
    });
}

#[test]
fn no_operation_answers_a_session_whose_role_is_gone_even_when_there_is_another_of_its_name() {
    let mut scene = Scene::new();
    let account = scene.account.clone();
    let create = [("RoleName", "worker"), ("AssumeRolePolicyDocument", &*trust(&account.id))];
    let arn = format!("arn:aws:iam::{}:role/worker", account.id);
    let assume = [("RoleArn", &*arn), ("RoleSessionName", "shift")];
    by_root(&mut scene, &iam::api::MODEL, "CreateRole", &create);
    let session = temporary(&by_root(&mut scene, &sts::api::MODEL, "AssumeRole", &assume));
    let whoami = Target::served().into_iter().find(|target| target.name == "GetCallerIdentity").unwrap();
    let names = scene.names();
    scene.call(&whoami, &session, &names).success();
    by_root(&mut scene, &iam::api::MODEL, "DeleteRole", &create[..1]);
    scene.every_operation_refuses(Refusal::UNKNOWN_KEY, "invalid", |target, request, _| {
        signed(target, request, &session)
    });
    by_root(&mut scene, &iam::api::MODEL, "CreateRole", &create);
    scene.every_operation_refuses(Refusal::UNKNOWN_KEY, "invalid", |target, request, _| {
        signed(target, request, &session)
    });
}

#[test]
fn a_session_of_a_user_may_no_more_than_the_user() {
    let mut scene = Scene::new();
    let user = scene.account.user.clone();
    let session = session_of(&mut scene, &user);
    let names = scene.names();
    for target in Target::served() {
        let answer = scene.call(&target, &session, &names);
        if is_decided_elsewhere(&target) {
            continue;
        }
        let failure = answer.failure(target.protocol);
        assert!(Refusal::DENIED.is(target.protocol, &failure), "{}: {failure:?}", target.action());
    }
}
