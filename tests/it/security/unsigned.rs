//! What AWS leaves unsigned is the one thing that can be asked for without a signature, and it holds nobody up.

use tests::raw::{Answer, Connection, Request, form};
use tests::{Options, Server};
use wire::model::Protocol;

use super::target::{Refusal, Scene, Target, whole};

/// More than an unsigned request may bring, and less than a signed one may.
const TOO_MANY_BYTES: usize = 80_000;
const OPEN: &str = "AssumeRoleWithWebIdentity";

fn open() -> Target {
    Target::served().into_iter().find(|target| target.name == OPEN).unwrap()
}

/// The parameters that ask for the open operation, with a token that no provider has made.
fn open_form() -> String {
    form(&[
        ("Action", OPEN),
        ("Version", sts::api::MODEL.api_version),
        ("RoleArn", "arn:aws:iam::000000000000:role/victim"),
        ("RoleSessionName", "attack"),
        ("WebIdentityToken", "e30.e30.c2lnbmF0dXJl"),
    ])
}

#[track_caller]
fn is_without_key(target: &Target, answer: &Answer, how: &str) {
    let failure = answer.failure(target.protocol);
    assert!(Refusal::NO_KEY.is(target.protocol, &failure), "{} {how}: {failure:?}", target.action());
}

#[test]
fn the_operations_that_need_no_signature_are_known_by_name() {
    let open: Vec<String> = Target::served().iter().filter(|target| target.is_unsigned()).map(Target::action).collect();
    assert_eq!(open, ["sts:AssumeRoleWithWebIdentity"], "each further one needs attacks of its own");
}

#[test]
fn an_open_operation_without_a_token_that_holds_gives_nothing() {
    let mut scene = Scene::new();
    let (target, names) = (open(), scene.names());
    let request = target.request(&scene, &names);
    let failure = scene.connection.send(&request).failure(target.protocol);
    assert_eq!((failure.code.as_str(), failure.status), ("InvalidIdentityToken", 400), "{failure:?}");
}

#[test]
fn no_signed_operation_is_reached_in_the_shadow_of_an_open_one() {
    let mut scene = Scene::new();
    let (root, names) = (scene.account.root.clone(), scene.names());
    let before = scene.snapshot(&root, &names);
    let open = open_form();
    for target in Target::signed() {
        let request = target.request(&scene, &names);
        if target.is_json() {
            // Whatever the query says: the head names the operation.
            let mut shadowed = request.clone();
            shadowed.target = format!("{}?{open}", request.target);
            is_without_key(&target, &scene.connection.send(&shadowed), "behind a query");
            // A form in which the open operation is asked for, under the head of another one.
            let mut disguised = request.clone();
            disguised.body = open.clone().into_bytes();
            is_without_key(&target, &scene.connection.send(&disguised), "with a form as body");
            continue;
        }
        // The first of two actions counts, be it in the query or in the body.
        let mut shadowed = request.clone();
        shadowed.body.extend_from_slice(format!("&{open}").as_bytes());
        is_without_key(&target, &scene.connection.send(&shadowed), "with two actions in its body");
        let mut shadowed = request.clone();
        shadowed.target = format!("/?Action={}&Version={}", target.name, target.model.api_version);
        shadowed.body = open.clone().into_bytes();
        is_without_key(&target, &scene.connection.send(&shadowed), "with another action in its body");
        let mut asked = Request::get(&scene.host, "/");
        asked.target = format!("/?{}&{open}", String::from_utf8(request.body).unwrap());
        is_without_key(&target, &scene.connection.send(&asked), "in a query");
    }
    assert_eq!(before, scene.snapshot(&root, &names), "an unsigned request had an effect");
}

#[test]
fn an_open_operation_is_reached_as_its_service_speaks_alone() {
    let mut scene = Scene::new();
    let paths = [
        "/service/AWSSecurityTokenServiceV20110615/operation/AssumeRoleWithWebIdentity",
        "/service/sts/operation/AssumeRoleWithWebIdentity",
    ];
    for path in paths {
        let mut request = Request::get(&scene.host, path);
        request.method = "POST".to_owned();
        request.set("smithy-protocol", "rpc-v2-cbor");
        request.set("content-type", "application/cbor");
        let failure = scene.connection.send(&request).failure(Protocol::RpcV2Cbor);
        assert!(Refusal::NO_KEY.is(Protocol::RpcV2Cbor, &failure), "{path}: {failure:?}");
    }
    for (prefix, protocol) in [
        ("AWSSecurityTokenServiceV20110615", Protocol::AwsJson11),
        ("AmazonEC2ContainerServiceV20141113", Protocol::AwsJson11),
        ("sts", Protocol::AwsJson10),
        ("", Protocol::AwsJson10),
    ] {
        let mut request = Request::get(&scene.host, "/");
        request.method = "POST".to_owned();
        request.set("x-amz-target", &format!("{prefix}.{OPEN}"));
        request.set("content-type", protocol.content_type());
        request.body = open_form().into_bytes();
        let failure = scene.connection.send(&request).failure(protocol);
        assert!(Refusal::NO_KEY.is(protocol, &failure), "{prefix}: {failure:?}");
    }
    for version in ["2010-05-08", "2010-08-01", "", "2011-06-15x"] {
        let input = form(&[("Action", OPEN), ("Version", version)]);
        let mut request = Request::of(&scene.host, &sts::api::MODEL, OPEN, Protocol::AwsQuery, "");
        request.body = input.into_bytes();
        is_without_key(&open(), &scene.connection.send(&request), version);
    }
}

#[test]
fn a_wrong_signature_is_no_better_where_none_is_needed() {
    let mut scene = Scene::new();
    let (names, target) = (scene.names(), open());
    let mut stranger = scene.account.root.clone();
    stranger.access_key_id = "AKIASTRANGER00000000".to_owned();
    let failure = scene.call(&target, &stranger, &names).failure(target.protocol);
    assert!(Refusal::UNKNOWN_KEY.is(target.protocol, &failure), "{failure:?}");
    let mut request = target.request(&scene, &names);
    request.set("authorization", "Bearer token");
    let failure = scene.connection.send(&request).failure(target.protocol);
    assert!([400, 403].contains(&failure.status) && failure.code != "InvalidIdentityToken", "{failure:?}");
}

#[test]
fn an_unsigned_form_is_not_read_further_than_a_token_needs() {
    let mut scene = Scene::new();
    for target in Target::served().into_iter().filter(|target| !target.is_json()) {
        let names = scene.names();
        let request = target.request(&scene, &names);
        // Nothing of this body is sent: the answer must come without it.
        let announced = request.head(&[("content-length", &TOO_MANY_BYTES.to_string())]);
        let failure = scene.connection.send_bytes(&announced).failure(target.protocol);
        assert!(Refusal::TOO_LARGE.is(target.protocol, &failure), "{}: {failure:?}", target.action());
    }
    let target = open();
    let mut flood = target.request(&scene, &scene.names()).head(&[("transfer-encoding", "chunked")]);
    let chunk = [format!("{:x}\r\n", 1000).as_bytes(), &[b'a'; 1000], b"\r\n"].concat();
    for _ in 0..TOO_MANY_BYTES / 1000 {
        flood.extend_from_slice(&chunk);
    }
    let failure = scene.connection.send_bytes(&flood).failure(target.protocol);
    assert!(Refusal::TOO_LARGE.is(target.protocol, &failure), "{failure:?}");
}

#[test]
fn an_unsigned_form_that_does_not_end_is_given_up() {
    let configuration = "[limits]\nbody_timeout_ms = 200\n".to_owned();
    let server = Server::start(Options { configuration, ..Options::default() });
    let host = server.address().to_string();
    for target in [open(), Target::served().into_iter().find(|target| target.name == "ListUsers").unwrap()] {
        let request = Request::of(&host, target.model, target.name, target.protocol, "");
        let mut bytes = request.head(&[("content-length", "1000")]);
        bytes.extend_from_slice(&request.body);
        let answer = Connection::to(server.address()).send_bytes(&bytes);
        let failure = answer.failure(target.protocol);
        assert_eq!((failure.code.as_str(), failure.status), ("RequestTimeout", 408), "{failure:?}");
        assert_eq!(answer.header("connection"), Some("close"), "the rest of the body is not waited for");
    }
}

#[test]
fn an_unsigned_form_that_is_nonsense_is_refused() {
    let mut scene = Scene::new();
    let target = open();
    let deep = format!("{}&Tags.{}=1", open_form(), "a.".repeat(5000));
    let many = format!("{}{}", open_form(), "&a".repeat(20_000));
    let forms = [
        String::new(),
        "Action".to_owned(),
        "Action=&Version=".to_owned(),
        "%ff%fe=%ff".to_owned(),
        "&".repeat(30_000),
        deep,
        many,
        open_form().replace("WebIdentityToken", "Token"),
        open_form().replace("RoleArn=", "RoleArn=%00"),
    ];
    for body in forms {
        let mut request = Request::of(&scene.host, target.model, OPEN, Protocol::AwsQuery, "");
        request.body = body.into_bytes();
        let failure = scene.connection.send(&request).failure(target.protocol);
        assert!([400, 403].contains(&failure.status), "{failure:?}");
    }
    let ours = whole(&target.request(&scene, &scene.names()));
    let failure = scene.connection.send_bytes(&ours).failure(target.protocol);
    assert_eq!(failure.code, "InvalidIdentityToken", "the connection goes on");
}
