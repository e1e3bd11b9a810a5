//! Requests whose signature is in their address: good for what they name, for as long as they say, and no longer.

use std::time::Duration;

use base::Timestamp;
use tests::REGION;
use tests::raw::{Answer, Request};
use wire::sigv4::{Credentials, SignableBody, Signer};

use super::authorization::is_decided_elsewhere;
use super::target::{Refusal, Scene, Target, now};

const LIFE: Duration = Duration::from_secs(60);

/// The operation's request as an address alone, which lives for [`LIFE`] from `at`.
fn presigned(scene: &Scene, target: &Target, credentials: &Credentials, at: Timestamp) -> Request {
    let form = String::from_utf8(target.request(scene, &scene.names()).body).unwrap();
    let uri = format!("http://{}/?{form}", scene.host);
    let mut parts = http::Request::get(uri).body(()).unwrap().into_parts().0;
    let signer = Signer { credentials, region: REGION, service: target.model.signing_name, at };
    signer.presign(&mut parts, LIFE, SignableBody::Bytes(b"")).unwrap();
    Request::get(&scene.host, parts.uri.path_and_query().unwrap().as_str())
}

fn in_forms() -> Vec<Target> {
    Target::served().into_iter().filter(|target| !target.is_json()).collect()
}

#[track_caller]
fn is_refused(target: &Target, answer: &Answer, refusal: Refusal) {
    let failure = answer.failure(target.protocol);
    assert!(refusal.is(target.protocol, &failure), "{}: {failure:?}", target.action());
}

#[test]
fn an_address_signed_by_the_root_is_let_in() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    for target in in_forms() {
        let answer = scene.connection.send(&presigned(&scene, &target, &root, now()));
        if answer.status != 200 {
            let failure = answer.failure(target.protocol);
            let gates = [Refusal::NO_KEY, Refusal::WRONG_SIGNATURE, Refusal::INCOMPLETE, Refusal::UNKNOWN_KEY];
            assert!(!gates.iter().any(|gate| gate.is(target.protocol, &failure)), "{}: {failure:?}", target.action());
        }
    }
}

#[test]
fn an_address_is_refused_when_its_time_is_over_or_has_not_come() {
    let mut scene = Scene::new();
    let (root, names) = (scene.account.root.clone(), scene.names());
    let before = scene.snapshot(&root, &names);
    // STS lets every presigned request live for a quarter of an hour.
    let ages = [-16 * 60 - 1, 16 * 60 + 1];
    for target in in_forms() {
        for age in ages {
            let at = Timestamp::from_millis(now().as_millis() - age * 1000);
            let answer = scene.connection.send(&presigned(&scene, &target, &root, at));
            is_refused(&target, &answer, Refusal::WRONG_SIGNATURE);
        }
        if target.model.name != "sts" {
            let at = Timestamp::from_millis(now().as_millis() - 62_000);
            let answer = scene.connection.send(&presigned(&scene, &target, &root, at));
            is_refused(&target, &answer, Refusal::WRONG_SIGNATURE);
        }
    }
    assert_eq!(before, scene.snapshot(&root, &names), "a refused request had an effect");
}

#[test]
fn an_address_is_refused_when_anything_in_it_was_changed() {
    let mut scene = Scene::new();
    let (root, names) = (scene.account.root.clone(), scene.names());
    let before = scene.snapshot(&root, &names);
    for target in in_forms() {
        let good = presigned(&scene, &target, &root, now());
        let with = |change: &dyn Fn(&str) -> String| Request { target: change(&good.target), ..good.clone() };
        let flipped = |target: &str| {
            let (head, last) = target.split_at(target.len() - 1);
            format!("{head}{}", if last == "0" { "1" } else { "0" })
        };
        let changed = [
            with(&flipped),
            with(&|target| target.replace("X-Amz-Expires=60", "X-Amz-Expires=600000")),
            with(&|target| target.replace("/?", "/x?")),
            with(&|target| format!("{target}&UserName=eve")),
            with(&|target| format!("{target}&Action=ListUsers")),
            with(&|target| target.replace("Version=", "Version=x")),
            Request { method: "POST".to_owned(), ..good.clone() },
            Request { headers: vec![("host".to_owned(), "pilvi.example".to_owned())], ..good.clone() },
        ];
        for request in changed {
            assert!(request.target != good.target || request.method != good.method || request.headers != good.headers);
            let answer = scene.connection.send(&request);
            is_refused(&target, &answer, Refusal::WRONG_SIGNATURE);
        }
    }
    assert_eq!(before, scene.snapshot(&root, &names), "a refused request had an effect");
}

#[test]
fn an_address_takes_no_other_parameters_from_a_body() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    for target in in_forms() {
        let mut request = presigned(&scene, &target, &root, now());
        request.set("content-type", "application/x-www-form-urlencoded");
        request.body = b"UserName=eve&RoleName=eve".to_vec();
        let answer = scene.connection.send(&request);
        is_refused(&target, &answer, Refusal::WRONG_SIGNATURE);
    }
}

#[test]
fn an_address_signed_by_a_user_is_denied() {
    let mut scene = Scene::new();
    let user = scene.account.user.clone();
    for target in in_forms() {
        if is_decided_elsewhere(&target) {
            continue;
        }
        let answer = scene.connection.send(&presigned(&scene, &target, &user, now()));
        is_refused(&target, &answer, Refusal::DENIED);
    }
}
