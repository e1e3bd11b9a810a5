//! Who is let in, and what the others are told.

use std::time::Duration;

use base::Timestamp;
use wire::serve::ServeLimits;
use wire::sigv4::{SecretAccessKey, Signer};

use super::backend::{BROKEN_KEY, KEY, NOW, SESSION_KEY, credentials};
use super::harness::{Answer, Request, Running, run, signer};

fn json() -> Request {
    Request::json("Nothing", "{}")
}

fn form() -> Request {
    Request::form("Action=Nothing&Version=2010-05-08")
}

/// Sends a request of each protocol, signed by the same hand.
async fn both(server: &Running, sign: impl Fn(Request, &'static str) -> Request) -> (Answer, Answer) {
    (server.send(&sign(json(), "things")).await, server.send(&sign(form(), "forms")).await)
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

#[test]
fn what_needs_no_signature_is_asked_for_with_and_without_one() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let opens = || Request::form("Action=Opens&Version=2010-05-08");
        let answer = server.send(&opens()).await;
        assert_eq!((answer.status, answer.message()), (404, "nobody".to_owned()));
        let answer = server.send(&Request::bare("GET", "/?Action=Opens&Version=2010-05-08")).await;
        assert_eq!((answer.status, answer.message()), (404, "nobody".to_owned()));
        let answer = server.send(&opens().signed("forms")).await;
        assert_eq!((answer.status, answer.message()), (404, KEY.to_owned()));
        // A signature that is wrong is none that may be left out.
        let wrong = opens().header("authorization", "AWS4-HMAC-SHA256 Credential=x");
        assert!(server.send(&wrong).await.message() != "nobody");
        for refused in [
            Request::form("Action=Opens&Version=2020-01-01"),
            Request::form(&format!("Action=Nothing&Version=2010-05-08&{}", "x".repeat(1000))),
            Request::bare("GET", "/?Action=Echo&Version=2010-05-08"),
            Request::json("Opens", "{}"),
        ] {
            let answer = server.send(&refused).await;
            assert!(answer.code().starts_with("MissingAuthenticationToken"), "{answer:?}");
        }
        let large = Request::form(&format!("Action=Opens&Version=2010-05-08&x={}", "x".repeat(64 * 1024)));
        assert_eq!(server.send(&large).await.status, 413);
    });
}

#[test]
fn nobody_is_let_in_without_a_signature() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let (json, form) = both(&server, |request, _| request).await;
        assert_eq!(told(&json), (400, "MissingAuthenticationTokenException".to_owned()));
        assert_eq!(told(&form), (403, "MissingAuthenticationToken".to_owned()));
        let (json, form) = both(&server, |request, _| request.header("authorization", "Bearer x")).await;
        assert!(json.status >= 400 && form.status >= 400, "{json:?} {form:?}");
    });
}

#[test]
fn an_unknown_key_is_refused() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let stranger = credentials("AKIDSTRANGER00000009", None);
        let (json, form) = both(&server, |request, service| request.signed_by(&signer(service, &stranger))).await;
        assert_eq!(told(&json), (400, "UnrecognizedClientException".to_owned()));
        assert_eq!(told(&form), (403, "InvalidClientTokenId".to_owned()));
        assert_eq!(form.message(), "The security token included in the request is invalid.");
        assert!(form.body.contains("https://forms.example.com/doc/2010-05-08/"), "{}", form.body);
    });
}

#[test]
fn a_wrong_secret_is_refused() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let mut wrong = credentials(KEY, None);
        wrong.secret_access_key = SecretAccessKey::new("guessed");
        let (json, form) = both(&server, |request, service| request.signed_by(&signer(service, &wrong))).await;
        assert_eq!(told(&json), (400, "InvalidSignatureException".to_owned()));
        assert_eq!(told(&form), (403, "SignatureDoesNotMatch".to_owned()));
    });
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let (json, form) = both(&server, |request, service| {
            let mut request = request.signed(service);
            let last = request.body.len() - 1;
            request.body[last] ^= 1;
            request
        })
        .await;
        assert_eq!(told(&json), (400, "InvalidSignatureException".to_owned()));
        assert_eq!(told(&form), (403, "SignatureDoesNotMatch".to_owned()));
        let retargeted = json_of("Things_2020.Echo", Request::json("Nothing", "{}").signed("things"));
        assert_eq!(told(&server.send(&retargeted).await), (400, "InvalidSignatureException".to_owned()));
    });
}

fn json_of(target: &str, request: Request) -> Request {
    request.header("x-amz-target", target)
}

#[test]
fn a_session_is_known_by_its_token() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        for (token, json_code, form_status, form_code) in [
            (Some("good"), "", 200, ""),
            (Some("old"), "ExpiredTokenException", 403, "ExpiredToken"),
            (Some("bad"), "UnrecognizedClientException", 403, "InvalidClientTokenId"),
            (None, "UnrecognizedClientException", 403, "InvalidClientTokenId"),
        ] {
            let session = credentials(SESSION_KEY, token);
            let (json, form) = both(&server, |request, service| request.signed_by(&signer(service, &session))).await;
            assert_eq!(json.code(), json_code, "{token:?}");
            assert_eq!((form.status, form.code().as_str()), (form_status, form_code), "{token:?}");
        }
    });
}

#[test]
fn a_key_that_cannot_be_looked_up_is_our_failure() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let broken = credentials(BROKEN_KEY, None);
        let (json, form) = both(&server, |request, service| request.signed_by(&signer(service, &broken))).await;
        assert_eq!(told(&json), (500, "InternalFailure".to_owned()));
        assert_eq!(told(&form), (500, "InternalFailure".to_owned()));
    });
}

#[test]
fn a_signature_for_another_service_is_refused() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let answer = server.send(&json().signed("forms")).await;
        assert_eq!(told(&answer), (400, "InvalidSignatureException".to_owned()));
        assert_eq!(answer.message(), "Credential should be scoped to correct service: 'things'.");
        let answer = server.send(&form().signed("things")).await;
        assert_eq!(answer.code(), "UnknownOperationException", "a form goes where its signature says");
    });
}

#[test]
fn a_signature_is_good_for_any_region_that_could_be_one() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let known = credentials(KEY, None);
        let of = |region| Signer { credentials: &known, region, service: "things", at: NOW };
        let fails = || Request::json("Fails", r#"{"Name":"good"}"#);
        let answer = server.send(&fails().signed_by(&of("mars-north-1"))).await;
        assert!(answer.message().contains("mars-north-1"), "{}", answer.body);
        let answer = server.send(&fails().signed_by(&of("Nowhere"))).await;
        assert_eq!(told(&answer), (400, "InvalidSignatureException".to_owned()));
        assert!(answer.message().starts_with("Credential should be scoped to a valid region"), "{}", answer.body);
    });
}

#[test]
fn a_signature_of_another_hour_is_refused() {
    run(async {
        let server = Running::start(ServeLimits::default()).await;
        let known = credentials(KEY, None);
        let hour = Duration::from_secs(3600);
        let earlier = Timestamp::from_millis(NOW.as_millis() - 3_600_000);
        for (at, begin) in [(earlier, "Signature expired: "), (NOW.plus(hour), "Signature not yet current: ")] {
            let signer = Signer { credentials: &known, region: "eu-north-1", service: "things", at };
            let answer = server.send(&json().signed_by(&signer)).await;
            assert_eq!(told(&answer), (400, "InvalidSignatureException".to_owned()));
            assert!(answer.message().starts_with(begin), "{}", answer.body);
        }
    });
}
