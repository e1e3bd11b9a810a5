//! Bodies that are too large, too short, or not the ones that were signed.

use sha2::{Digest, Sha256};
use tests::raw::Request;
use tests::{Account, REGION};

use super::target::{Refusal, Scene, Target, now, whole};

/// More than the shared server takes.
const TOO_MANY_BYTES: usize = 200_000;

fn signed(target: &Target, request: Request, account: &Account) -> Request {
    request.signed(&account.root, target.model.signing_name, REGION, now())
}

#[test]
fn no_operation_waits_for_a_body_that_is_announced_as_too_large() {
    Scene::new().every_operation_refuses(Refusal::TOO_LARGE, "larger than", |target, request, account| {
        // Nothing of the body is sent: the answer must come without it.
        signed(target, request, account).head(&[("content-length", "999999999999")])
    });
}

#[test]
fn no_operation_reads_a_body_on_and_on() {
    Scene::new().every_operation_refuses(Refusal::TOO_LARGE, "larger than", |target, request, account| {
        let mut bytes = signed(target, request, account).head(&[("transfer-encoding", "chunked")]);
        let chunk = [format!("{:x}\r\n", 1000).as_bytes(), &[b' '; 1000], b"\r\n"].concat();
        // Some operations take more than others.
        let allowed = target.model.operations[target.index].body_bytes_max.unwrap_or_default();
        for _ in 0..(allowed + TOO_MANY_BYTES) / 1000 {
            bytes.extend_from_slice(&chunk);
        }
        bytes
    });
}

#[test]
fn no_operation_reads_a_body_before_its_sender_has_named_a_key() {
    // A form may ask for an operation that needs no signature, which only its body tells: see `unsigned`.
    let targets = Target::served().into_iter().filter(Target::is_json).collect();
    Scene::new().each_refuses(targets, Refusal::NO_KEY, "Authentication Token", |_, request, _| {
        // The rest of this body never comes.
        request.head(&[("content-length", "1000")])
    });
    Scene::new().every_operation_refuses(Refusal::UNKNOWN_KEY, "", |target, request, account| {
        let mut stranger = account.root.clone();
        stranger.access_key_id = "AKIASTRANGER00000000".to_owned();
        request.signed(&stranger, target.model.signing_name, REGION, now()).head(&[("content-length", "1000")])
    });
}

#[test]
fn no_operation_answers_a_body_that_ends_before_its_announced_end() {
    let mut scene = Scene::new();
    let (names, account) = (scene.names(), scene.account.clone());
    let before = scene.snapshot(&account.root, &names);
    for target in Target::served() {
        let request = signed(&target, target.request(&scene, &names), &account);
        let mut bytes = request.head(&[("content-length", &(request.body.len() + 1).to_string())]);
        bytes.extend_from_slice(&request.body);
        let failure = scene.connection.send_all(&bytes).failure(target.protocol);
        assert!(Refusal::CUT_OFF.is(target.protocol, &failure), "{}: {failure:?}", target.action());
    }
    assert_eq!(before, scene.snapshot(&account.root, &names), "a body that was cut off had an effect");
}

#[test]
fn no_operation_answers_a_body_that_is_cut_off_where_it_still_makes_sense() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        if target.is_json() {
            request.body = b"{}".to_vec();
            // An operation without members is sent just this; then it is a blank more.
            request.body.push(b' ');
        } else {
            let body = String::from_utf8(request.body).unwrap();
            let cut = body.rsplit_once('&').map_or("", |(kept, _)| kept);
            request.body = cut.as_bytes().to_vec();
        }
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_body_to_which_something_was_added() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        request.body.extend_from_slice(if target.is_json() { b" " } else { b"&Tags.member.9.Key=x" });
        whole(&request)
    });
}

#[test]
fn no_operation_answers_another_body_under_the_hash_of_the_signed_one() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, mut request, account| {
        // Some clients send the hash as a header too. It is signed; the body must still be the one that it is of.
        let at = now();
        request.set("x-amz-content-sha256", &hex::encode(Sha256::digest(&request.body)));
        let mut request = request.signed(&account.root, target.model.signing_name, REGION, at);
        request.body.extend_from_slice(if target.is_json() { b"\n" } else { b"&" });
        whole(&request)
    });
}

#[test]
fn a_body_that_is_nonsense_is_the_callers_fault_and_told_so() {
    let mut scene = Scene::new();
    let (names, account) = (scene.names(), scene.account.clone());
    for target in Target::served().into_iter().filter(Target::is_json) {
        let deep = [b"{\"a\":".repeat(20_000).as_slice(), b"1", "}".repeat(20_000).as_bytes()].concat();
        let wide = format!("{{\"tags\":[{}null]}}", "null,".repeat(20_000)).into_bytes();
        let bodies = [b"[]".to_vec(), b"\"".to_vec(), b"{".to_vec(), vec![0xff, 0xfe], deep, wide];
        for body in bodies {
            let mut request = target.request(&scene, &names);
            request.body = body;
            let request = signed(&target, request, &account);
            let answer = scene.connection.send(&request);
            if answer.status == 200 {
                // Nothing that this operation reads was in it.
                continue;
            }
            let failure = answer.failure(target.protocol);
            assert_eq!(failure.status, 400, "{}: {failure:?}", target.action());
        }
    }
}

#[test]
fn a_form_with_far_numbers_deep_names_and_many_parameters_is_bounded() {
    let mut scene = Scene::new();
    let (names, account) = (scene.names(), scene.account.clone());
    for target in Target::served().into_iter().filter(|target| !target.is_json()) {
        let forms = [
            "&Tags.member.999999999999999999999.Key=a".to_owned(),
            "&Tags.member.4000000000.Key=a&Tags.member.4000000000.Value=b".to_owned(),
            format!("&{}=1", "a.".repeat(10_000)),
            "&a".repeat(50_000),
            "&%ff%fe=%ff".to_owned(),
        ];
        for more in forms {
            let mut request = target.request(&scene, &names);
            request.body.extend_from_slice(more.as_bytes());
            let request = signed(&target, request, &account);
            let answer = scene.connection.send(&request);
            if answer.status != 200 {
                let failure = answer.failure(target.protocol);
                assert!(failure.status < 500, "{}: {failure:?}", target.action());
            }
        }
    }
}
