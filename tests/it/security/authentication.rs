//! Nobody gets in who does not hold a key, and no request that its key's owner did not sign just so.

use std::time::Duration;

use base::Timestamp;
use sha2::{Digest, Sha256};
use tests::raw::Request;
use tests::{Account, REGION};
use wire::model::Protocol;
use wire::sigv4::{Credentials, SecretAccessKey};

use super::target::{Refusal, Scene, Target, now, whole};

/// Outside of the quarter of an hour by which clocks may differ.
const SIXTEEN_MINUTES: Duration = Duration::from_secs(16 * 60);

fn signed_at(target: &Target, request: Request, credentials: &Credentials, at: Timestamp) -> Request {
    request.signed(credentials, target.model.signing_name, REGION, at)
}

fn signed(target: &Target, request: Request, account: &Account) -> Request {
    signed_at(target, request, &account.root, now())
}

/// Replaces the signature in the `Authorization` header.
fn with_signature(mut request: Request, change: impl FnOnce(&mut Vec<u8>)) -> Request {
    let header = request.header("authorization").expect("the request is signed").to_owned();
    let (head, signature) = header.split_once("Signature=").expect("it ends with the signature");
    let mut digits = signature.as_bytes().to_vec();
    change(&mut digits);
    let digits = String::from_utf8(digits).expect("hexadecimal digits are ASCII");
    request.set("authorization", &format!("{head}Signature={digits}"));
    request
}

/// Flips one bit of the number that a hexadecimal digit stands for.
fn flip(digit: &mut u8, bit: u8) {
    let value = char::from(*digit).to_digit(16).expect("a signature is hexadecimal") ^ (1 << bit);
    *digit = u8::try_from(char::from_digit(value, 16).expect("four bits are one digit")).expect("digits are ASCII");
}

#[test]
fn the_same_requests_rightly_signed_by_the_root_are_let_in() {
    let mut scene = Scene::new();
    let (root, names) = (scene.account.root.clone(), scene.names());
    for target in Target::served() {
        let answer = scene.call(&target, &root, &names);
        if answer.status == 200 {
            continue;
        }
        let failure = answer.failure(target.protocol);
        let gates = [
            Refusal::NO_KEY,
            Refusal::UNKNOWN_KEY,
            Refusal::WRONG_SIGNATURE,
            Refusal::INCOMPLETE,
            Refusal::EXPIRED,
            Refusal::TOO_LARGE,
            Refusal::CUT_OFF,
            Refusal::NOT_SERVED,
        ];
        let stopped = gates.iter().any(|gate| gate.is(target.protocol, &failure));
        assert!(!stopped && failure.status < 500, "{}: {failure:?}", target.action());
    }
}

#[test]
fn no_operation_answers_a_request_without_a_key() {
    let told = "Authentication Token";
    Scene::new().each_refuses(Target::signed(), Refusal::NO_KEY, told, |_, request, _| whole(&request));
}

#[test]
fn no_operation_answers_an_unknown_key() {
    Scene::new().every_operation_refuses(Refusal::UNKNOWN_KEY, "security token", |target, request, account| {
        let stranger = Credentials { access_key_id: "AKIASTRANGER00000000".to_owned(), ..account.root.clone() };
        whole(&signed_at(target, request, &stranger, now()))
    });
}

#[test]
fn no_operation_answers_a_known_key_with_another_secret() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let secret_access_key = SecretAccessKey::new(account.user.secret_access_key.expose());
        let forged = Credentials { secret_access_key, ..account.root.clone() };
        whole(&signed_at(target, request, &forged, now()))
    });
}

#[test]
fn no_operation_answers_a_signature_of_which_one_bit_is_flipped() {
    for digit in [0, 31, 63] {
        Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
            whole(&with_signature(signed(target, request, account), |digits| flip(&mut digits[digit], 0)))
        });
    }
}

#[test]
fn each_single_bit_of_a_signature_counts() {
    let mut scene = Scene::new();
    let served = Target::served();
    let whoami = served.iter().find(|target| target.name == "GetCallerIdentity").unwrap();
    let clusters = served.iter().find(|target| target.name == "ListClusters").unwrap();
    for target in [whoami, clusters] {
        let good = signed(target, target.request(&scene, &scene.names()), &scene.account);
        scene.connection.send(&good).success();
        for bit in 0..256_usize {
            let bad = with_signature(good.clone(), |digits| flip(&mut digits[bit / 4], (bit % 4) as u8));
            let failure = scene.connection.send(&bad).failure(target.protocol);
            assert!(Refusal::WRONG_SIGNATURE.is(target.protocol, &failure), "bit {bit}: {failure:?}");
        }
    }
}

#[test]
fn a_signature_is_as_long_as_it_is() {
    let mut scene = Scene::new();
    let served = Target::served();
    for target in served.iter().filter(|target| ["GetCallerIdentity", "ListClusters"].contains(&target.name)) {
        let good = signed(target, target.request(&scene, &scene.names()), &scene.account);
        for length in [0, 1, 32, 62, 63] {
            let failure = scene
                .connection
                .send(&with_signature(good.clone(), |digits| digits.truncate(length)))
                .failure(target.protocol);
            assert!(failure.status == 400 || failure.status == 403, "{length} digits: {failure:?}");
        }
        let longer = with_signature(good.clone(), |digits| digits.push(b'0'));
        let failure = scene.connection.send(&longer).failure(target.protocol);
        assert!(Refusal::WRONG_SIGNATURE.is(target.protocol, &failure), "{failure:?}");
    }
}

#[test]
fn no_operation_answers_a_request_that_was_signed_sixteen_minutes_ago() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "Signature expired", |target, request, account| {
        let then = Timestamp::from_millis(now().as_millis() - SIXTEEN_MINUTES.as_millis() as i64);
        whole(&signed_at(target, request, &account.root, then))
    });
}

#[test]
fn no_operation_answers_a_request_from_sixteen_minutes_ahead() {
    let told = "Signature not yet current";
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, told, |target, request, account| {
        whole(&signed_at(target, request, &account.root, now().plus(SIXTEEN_MINUTES)))
    });
}

#[test]
fn no_operation_answers_an_old_request_with_a_fresh_date_put_on() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        // Within the allowed time and on the same day in almost every run; on another day the scope is wrong, whose
        // refusal is the same.
        let then = Timestamp::from_millis(now().as_millis() - 2000);
        let mut request = signed_at(target, request, &account.root, then);
        let date = request.header("x-amz-date").unwrap().to_owned();
        let fresh = Timestamp::parse_basic(&date).unwrap().plus(Duration::from_secs(1)).basic();
        request.set("x-amz-date", &fresh);
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_request_whose_host_was_changed_on_the_way() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        request.set("host", "pilvi.example");
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_request_that_was_signed_for_another_path() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        request.target = "/other".to_owned();
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_request_with_a_query_that_was_not_signed() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        request.target = format!("/?Action={}", target.name);
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_signature_whose_region_was_replaced() {
    Scene::new().every_operation_refuses(Refusal::WRONG_SIGNATURE, "does not match", |target, request, account| {
        let mut request = signed(target, request, account);
        let header = request.header("authorization").unwrap().replace(REGION, "eu-north-1");
        request.set("authorization", &header);
        whole(&request)
    });
}

#[test]
fn no_operation_answers_a_signature_without_its_date() {
    Scene::new().every_operation_refuses(Refusal::INCOMPLETE, "", |target, request, account| {
        let mut request = signed(target, request, account);
        request.remove("x-amz-date");
        whole(&request)
    });
}

#[test]
fn a_signature_for_one_operation_does_not_open_another() {
    let mut scene = Scene::new();
    let (names, served) = (scene.names(), Target::served());
    for (target, other) in served.iter().zip(served.iter().cycle().skip(1)) {
        if target.model.name != other.model.name {
            continue;
        }
        let mut request = signed(target, target.request(&scene, &names), &scene.account);
        let wanted = other.request(&scene, &names);
        if let Some(operation) = wanted.header("x-amz-target") {
            request.set("x-amz-target", operation);
        }
        request.body = wanted.body;
        let failure = scene.connection.send(&request).failure(target.protocol);
        let told = format!("{} as {}: {failure:?}", target.action(), other.action());
        assert!(Refusal::WRONG_SIGNATURE.is(target.protocol, &failure), "{told}");
    }
}

#[test]
fn an_operation_named_in_a_header_that_was_not_signed_is_not_called() {
    let mut scene = Scene::new();
    let names = scene.names();
    for target in Target::served() {
        let mut request = target.request(&scene, &names);
        // Only awsJson names its operation in a header.
        let Some(operation) = request.header("x-amz-target").map(str::to_owned) else { continue };
        request.remove("x-amz-target");
        let mut request = signed(&target, request, &scene.account);
        request.set("x-amz-target", &operation);
        let failure = scene.connection.send(&request).failure(target.protocol);
        assert!(Refusal::WRONG_SIGNATURE.is(target.protocol, &failure), "{}: {failure:?}", target.action());
        assert!(failure.message.contains("x-amz-target"), "{failure:?}");
    }
}

#[test]
fn no_operation_answers_a_signature_for_another_service() {
    let mut scene = Scene::new();
    let (names, root) = (scene.names(), scene.account.root.clone());
    let before = scene.snapshot(&root, &names);
    for target in Target::served() {
        let services = ["ecs", "iam", "sts", "execute-api", ""];
        for service in services.into_iter().filter(|service| *service != target.model.signing_name) {
            let request = target.request(&scene, &names).signed(&root, service, REGION, now());
            let answer = scene.connection.send(&request);
            let failure = answer.failure(target.protocol);
            let told = format!("{} signed for `{service}`: {failure:?}", target.action());
            if target.is_json() {
                assert!(
                    ["InvalidSignatureException", "IncompleteSignatureException"].contains(&&*failure.code),
                    "{told}"
                );
            } else {
                // In a form the scope alone names the service, so this is a request to that one.
                let codes = [
                    "InvalidAction",
                    "UnknownOperationException",
                    "NotImplemented",
                    "SignatureDoesNotMatch",
                    "IncompleteSignature",
                ];
                assert!(codes.contains(&&*failure.code), "{told}");
            }
        }
        // Signed for S3 it is S3's, whatever else it says: there it is a request that lacks what S3 wants, or a method that
        // nobody has there.
        let request = target.request(&scene, &names);
        for declared in [None, Some(hex::encode(Sha256::digest(&request.body)))] {
            let mut request = request.clone();
            if let Some(declared) = &declared {
                request.set("x-amz-content-sha256", declared);
            }
            let failure = scene.connection.send(&request.signed(&root, "s3", REGION, now())).failure(Protocol::RestXml);
            let is_refused = match declared {
                None => failure.code == "InvalidRequest" && failure.message.contains("x-amz-content-sha256"),
                // Of a POST to what would be an object a list of parts is expected.
                Some(_) => ["MethodNotAllowed", "MalformedXML"].contains(&&*failure.code),
            };
            assert!(is_refused, "{} signed for S3: {failure:?}", target.action());
        }
    }
    assert_eq!(before, scene.snapshot(&root, &names), "a refused request had an effect");
}

#[test]
fn other_schemes_and_two_schemes_at_once_are_refused() {
    let mut scene = Scene::new();
    let names = scene.names();
    for target in Target::served() {
        let good = signed(&target, target.request(&scene, &names), &scene.account);
        let aws4 = good.header("authorization").unwrap().to_owned();
        let others = [
            "Bearer token".to_owned(),
            "Basic cm9vdDpyb290".to_owned(),
            format!("AWS {}:c2lnbmF0dXJl", scene.account.root.access_key_id),
            aws4.replacen("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", 1),
            aws4.replacen("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", 1),
            "AWS4-HMAC-SHA256".to_owned(),
            String::new(),
        ];
        for other in others {
            let mut request = good.clone();
            request.set("authorization", &other);
            let answer = scene.connection.send(&request);
            assert!([400, 403].contains(&answer.status), "{} by {other}: {}", target.action(), answer.text());
        }
        let mut twice = good.clone();
        twice.headers.push(("authorization".to_owned(), aws4.clone()));
        let answer = scene.connection.send(&twice);
        assert!([400, 403].contains(&answer.status), "{}: {}", target.action(), answer.text());
        let mut both = good;
        both.target = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned();
        let answer = scene.connection.send(&both);
        assert!([400, 403].contains(&answer.status), "{}: {}", target.action(), answer.text());
    }
}

#[test]
fn a_region_that_is_none_is_refused_although_its_signature_is_right() {
    let mut scene = Scene::new();
    let (names, root) = (scene.names(), scene.account.root.clone());
    for target in Target::served() {
        for region in ["..", "", "US-EAST-1", "us east 1", "_", "*", &"a".repeat(65), "%2F"] {
            let request = target.request(&scene, &names);
            let request = request.signed(&root, target.model.signing_name, region, now());
            let answer = scene.connection.send(&request);
            assert!([400, 403].contains(&answer.status), "{} in `{region}`: {}", target.action(), answer.text());
        }
    }
}
