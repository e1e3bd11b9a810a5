//! What is not served says so by name. It never pretends, and it says nothing to strangers.

use super::target::{Refusal, Scene, Target, now};
use tests::REGION;
use tests::raw::Request;

fn request(scene: &Scene, target: &Target) -> Request {
    let input = if target.is_json() { "{}" } else { "" };
    Request::of(&scene.host, target.model, target.name, target.protocol, input)
}

#[test]
fn every_unserved_operation_says_by_name_that_it_is_not_served() {
    let mut scene = Scene::new();
    let (root, unserved) = (scene.account.root.clone(), Target::unserved());
    assert!(unserved.len() > 50, "the models hold every operation of their services");
    for target in unserved {
        let request = request(&scene, &target).signed(&root, target.model.signing_name, REGION, now());
        let failure = scene.connection.send(&request).failure(target.protocol);
        assert!(Refusal::NOT_SERVED.is(target.protocol, &failure), "{}: {failure:?}", target.action());
        assert!(failure.message.contains(&target.action()), "{failure:?}");
    }
}

#[test]
fn no_unserved_operation_tells_a_stranger_that_it_is_not_served() {
    let mut scene = Scene::new();
    for target in Target::unserved() {
        let request = request(&scene, &target);
        let failure = scene.connection.send(&request).failure(target.protocol);
        assert!(Refusal::NO_KEY.is(target.protocol, &failure), "{}: {failure:?}", target.action());
    }
}

#[test]
fn an_operation_that_no_model_has_is_unknown() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let served = Target::served();
    for model in super::target::spoken() {
        let target = served.iter().find(|target| target.model.name == model.name).unwrap();
        for name in ["MakeCoffee", "createCluster", "", "../CreateCluster", &"A".repeat(2000)] {
            let input = if target.is_json() { "{}" } else { "" };
            let request = Request::of(&scene.host, model, name, target.protocol, input);
            let request = request.signed(&root, model.signing_name, REGION, now());
            let failure = scene.connection.send(&request).failure(target.protocol);
            let code = if target.is_json() { "UnknownOperationException" } else { "InvalidAction" };
            assert_eq!((failure.code.as_str(), failure.status), (code, 400), "{name}: {failure:?}");
            assert!(failure.message.len() < 300, "{failure:?}");
        }
    }
}
