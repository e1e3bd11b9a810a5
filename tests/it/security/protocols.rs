//! One service in three protocols: the same refusal in each, and what is no CBOR is refused as such.

use tests::REGION;
use tests::raw::{Answer, Request};
use wire::model::Protocol;

use super::target::{Refusal, Scene, Target, now};

/// The operations of services whose clients once spoke awsQuery.
fn compatible() -> Vec<Target> {
    Target::signed().into_iter().filter(|target| target.model.is_query_compatible).collect()
}

fn query_error(answer: &Answer) -> Option<String> {
    answer.header("x-amzn-query-error").map(str::to_owned)
}

#[test]
fn a_refusal_has_its_code_of_awsquery_beside_its_own_where_clients_look_for_it() {
    let mut scene = Scene::new();
    let (names, user) = (scene.names(), scene.account.user.clone());
    assert!(compatible().len() >= 45, "CloudWatch speaks three protocols");
    for target in compatible() {
        for (credentials, refusal) in [(None, Refusal::NO_KEY), (Some(&user), Refusal::DENIED)] {
            let request = target.request(&scene, &names);
            let answer = scene.connection.send(&match credentials {
                Some(credentials) => request.signed(credentials, target.model.signing_name, REGION, now()),
                None => request,
            });
            let failure = answer.failure(target.protocol);
            assert!(refusal.is(target.protocol, &failure), "{}: {failure:?}", target.action());
            let code = (target.is_json() && credentials.is_some()).then(|| format!("{};Sender", refusal.query.0));
            assert_eq!(query_error(&answer), code, "{} {:?}", target.action(), target.protocol);
        }
    }
}

#[test]
fn the_same_input_is_refused_by_the_same_code_in_every_protocol() {
    let mut scene = Scene::new();
    let (names, root) = (scene.names(), scene.account.root.clone());
    let mut codes: std::collections::BTreeMap<&str, Vec<String>> = Default::default();
    for target in compatible() {
        let answer = scene.call(&target, &root, &names);
        let code = match answer.status {
            200 => "none".to_owned(),
            _ if target.is_json() => query_error(&answer).unwrap().trim_end_matches(";Sender").to_owned(),
            _ => answer.failure(target.protocol).code,
        };
        // What one protocol has deleted is gone for the next: only what changes nothing can be compared.
        if target.is_read() {
            codes.entry(target.name).or_default().push(code);
        }
    }
    for (name, codes) in codes {
        assert!(codes.windows(2).all(|pair| pair[0] == pair[1]) && codes.len() == 3, "{name}: {codes:?}");
    }
}

#[test]
fn what_is_no_cbor_is_the_callers_fault_and_told_so() {
    let mut scene = Scene::new();
    let (names, root) = (scene.names(), scene.account.root.clone());
    let before = scene.snapshot(&root, &names);
    let bodies: [Vec<u8>; 14] = [
        vec![0xff],
        vec![0xbf],
        vec![0xa1],
        // Arrays and maps within each other, a hundred thousand deep.
        vec![0x81; 100_000],
        vec![0x9f; 100_000],
        [&[0xa1, 0x61, b'a'][..]; 30_000].concat(),
        // Lengths of which nothing follows.
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xa1, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, b'a'],
        vec![0xa1, 0x61, b'a', 0x5b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        // No text, a key that is none, tags without end, something behind the end.
        vec![0xa1, 0x61, 0xff, 0x01],
        vec![0xa1, 0x01, 0x01],
        vec![0xc1; 50_000],
        vec![0xa0, 0xa0],
    ];
    for target in compatible().into_iter().filter(|target| target.protocol == Protocol::RpcV2Cbor) {
        for body in &bodies {
            let mut request = target.request(&scene, &names);
            request.body.clone_from(body);
            let request = request.signed(&root, target.model.signing_name, REGION, now());
            let failure = scene.connection.send(&request).failure(target.protocol);
            assert_eq!(failure.status, 400, "{} {:?}: {failure:?}", target.action(), &body[..1]);
        }
    }
    assert_eq!(before, scene.snapshot(&root, &names), "a refused request had an effect");
}

#[test]
fn a_path_names_an_operation_only_as_a_whole() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let service = cloudwatch::api::MODEL.target_prefix.unwrap();
    for path in [
        format!("/service/{service}/operation/"),
        format!("/service/{service}/operation/DeleteAlarms/x"),
        format!("/service/{service}/operation/deletealarms"),
        format!("/service/{service}/operation/%44eleteAlarms"),
        format!("/service/{service}/DeleteAlarms"),
        format!("/service/x{service}/operation/DeleteAlarms"),
        "/service//operation/DeleteAlarms".to_owned(),
        "/service/AmazonEC2ContainerServiceV20141113/operation/CreateCluster".to_owned(),
        "/operation/DeleteAlarms".to_owned(),
        "/".to_owned(),
    ] {
        let mut request = Request::get(&scene.host, &path);
        request.method = "POST".to_owned();
        request.set("smithy-protocol", "rpc-v2-cbor");
        request.set("content-type", "application/cbor");
        request.body = vec![0xa0];
        let request = request.signed(&root, "monitoring", REGION, now());
        let failure = scene.connection.send(&request).failure(Protocol::RpcV2Cbor);
        assert!((400..=501).contains(&failure.status) && failure.status != 500, "{path}: {failure:?}");
    }
}
