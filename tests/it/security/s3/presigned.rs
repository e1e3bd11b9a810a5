//! Addresses that carry their signature: good for what they name, as they name it, for as long as they say.

use std::time::Duration;

use base::Timestamp;
use sha2::{Digest, Sha256};
use tests::raw::Request;
use wire::sigv4::{Credentials, SignableBody, Signer};

use super::yard::{HERE, PRIVATE, SECRET, Yard, allow, is_denied, is_refused, outcome, parts, signed};
use crate::security::target::now;

/// A request of which all that says who sends it is in its address.
pub(super) fn presigned(
    yard: &Yard,
    method: &str,
    target: &str,
    by: &Credentials,
    at: Timestamp,
    life: u64,
) -> Request {
    with_headers(yard, method, target, &[], by, at, life)
}

fn with_headers(
    yard: &Yard,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    by: &Credentials,
    at: Timestamp,
    life: u64,
) -> Request {
    let mut request = yard.request(method, target, headers, b"");
    let mut parts = parts(&request);
    let signer = Signer { credentials: by, region: HERE, service: "s3", at };
    signer.presign(&mut parts, Duration::from_secs(life), SignableBody::Unsigned).expect("it can be signed");
    request.target = parts.uri.to_string();
    request
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() - seconds * 1000)
}

#[test]
fn an_address_is_good_for_what_it_names_as_it_names_it() {
    let mut yard = Yard::new();
    yard.put("other", b"other");
    let (root, target) = (yard.root(), yard.at(SECRET));
    let good = presigned(&yard, "GET", &target, &root, now(), 60);
    assert_eq!(yard.scene.connection.send(&good).success().text(), PRIVATE);
    let with = |change: &dyn Fn(&str) -> String| Request { target: change(&good.target), ..good.clone() };
    let flipped = |target: &str| {
        let (head, last) = target.split_at(target.len() - 1);
        format!("{head}{}", if last == "0" { "1" } else { "0" })
    };
    let host = yard.scene.host.clone();
    let changed = [
        ("signature", with(&flipped)),
        ("life", with(&|it| it.replace("X-Amz-Expires=60", "X-Amz-Expires=604800"))),
        ("date", with(&|it| it.replacen("X-Amz-Date=2", "X-Amz-Date=3", 1))),
        ("key", with(&|it| it.replace(SECRET, "other"))),
        ("key in other words", with(&|it| it.replace("secret/diary", "secret/../secret/diary"))),
        ("key with two slashes", with(&|it| it.replace("secret/diary", "secret//diary"))),
        ("version", with(&|it| format!("{it}&versionId=null"))),
        ("facet", with(&|it| it.replace("?X-Amz-Algorithm", "?acl&X-Amz-Algorithm"))),
        ("answer's type", with(&|it| format!("{it}&response-content-type=text%2Fhtml"))),
        ("signed headers", with(&|it| it.replace("SignedHeaders=host", "SignedHeaders="))),
        ("region", with(&|it| it.replace("us-east-1", "eu-north-1"))),
        ("service", with(&|it| it.replace("%2Fs3%2F", "%2Fsts%2F"))),
        ("a second key", with(&|it| format!("{it}&X-Amz-Credential=AKIA%2F20200101%2Fus-east-1%2Fs3%2Faws4_request"))),
        ("a second signature", with(&|it| format!("{it}&X-Amz-Signature={}", "0".repeat(64)))),
        ("write", Request { method: "PUT".to_owned(), ..good.clone() }),
        ("head", Request { method: "HEAD".to_owned(), ..good.clone() }),
        ("delete", Request { method: "DELETE".to_owned(), ..good.clone() }),
        ("host", Request { headers: vec![("host".to_owned(), "pilvi.example".to_owned())], ..good.clone() }),
        ("host's case", Request { headers: vec![("host".to_owned(), format!("x.{host}"))], ..good.clone() }),
    ];
    for (what, request) in changed {
        assert!(
            request.target != good.target || request.method != good.method || request.headers != good.headers,
            "{what}"
        );
        let answer = yard.scene.connection.send(&request);
        let (status, text) = (answer.status, answer.text());
        assert!([400, 403, 501].contains(&status) && !text.contains(PRIVATE), "{what}: {status} {text}");
    }
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
}

#[test]
fn an_address_lives_as_long_as_it_says_and_a_week_at_most() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at(SECRET));
    for (age, life) in [(62, 60), (604_900, 604_800), (3, 1)] {
        let answer = yard.scene.connection.send(&presigned(&yard, "GET", &target, &root, ago(age), life));
        is_denied(&answer, &format!("{age} of {life}"));
        assert!(answer.text().contains("Request has expired"), "{}", answer.text());
    }
    let answer = yard.scene.connection.send(&presigned(&yard, "GET", &target, &root, ago(-16 * 60 - 5), 60));
    is_denied(&answer, "not yet");
    let good = presigned(&yard, "GET", &target, &root, now(), 60);
    for life in ["604801", "-1", "0", "1e9", "60.5", "", "99999999999999999999", "+60"] {
        let mut request = good.clone();
        request.target = good.target.replace("X-Amz-Expires=60", &format!("X-Amz-Expires={life}"));
        let answer = yard.scene.connection.send(&request);
        let (status, code) = outcome(&answer);
        assert!([400, 403].contains(&status), "{life}: {status} {code} {}", answer.text());
    }
}

#[test]
fn an_address_takes_no_headers_of_amazons_that_it_does_not_name() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    yard.unblock();
    let (root, target) = (yard.root(), yard.at("upload"));
    let source = format!("{}/{SECRET}", yard.bucket);
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-copy-source", source.as_str()),
        ("x-amz-tagging", "a=b"),
        ("x-amz-meta-a", "b"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "https://evil.example/"),
        ("x-amz-grant-full-control", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\""),
        ("x-amz-security-token", "x"),
    ] {
        let mut request = presigned(&yard, "PUT", &target, &root, now(), 60);
        request.set(name, value);
        let answer = yard.scene.connection.send(&request);
        let (status, code) = outcome(&answer);
        assert!([400, 403].contains(&status), "{name}: {status} {code}");
        assert_eq!(yard.content("upload"), None, "{name}");
    }
    // What it names has to be there, and be that.
    let named =
        with_headers(&yard, "PUT", &target, &[("x-amz-meta-a", "b"), ("content-type", "text/plain")], &root, now(), 60);
    for (name, value) in [
        ("x-amz-meta-a", None),
        ("x-amz-meta-a", Some("c")),
        ("content-type", Some("text/html")),
        ("content-type", None),
    ] {
        let mut request = named.clone();
        match value {
            Some(value) => request.set(name, value),
            None => request.remove(name),
        }
        let answer = yard.scene.connection.send(&request);
        is_refused(&answer, 403, "SignatureDoesNotMatch", &format!("{name}: {value:?}"));
    }
    yard.scene.connection.send(&named).success();
}

#[test]
fn what_an_address_says_in_its_query_needs_the_rights_that_it_would_need_in_the_head() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    yard.unblock();
    let writer = yard.worker("writer", &[allow(&["s3:PutObject"], &["BUCKET/*"])]);
    let source: String = form_urlencoded::byte_serialize(format!("{}/{SECRET}", yard.bucket).as_bytes()).collect();
    for query in [
        "x-amz-acl=public-read".to_owned(),
        "X-AMZ-ACL=public-read".to_owned(),
        "x-amz-tagging=a%3Db".to_owned(),
        format!("x-amz-copy-source={source}"),
        "x-amz-grant-read=uri%3Dhttp%3A%2F%2Facs.amazonaws.com%2Fgroups%2Fglobal%2FAllUsers".to_owned(),
    ] {
        let target = yard.at(&format!("mine?{query}"));
        let answer = yard.scene.connection.send(&presigned(&yard, "PUT", &target, &writer, now(), 60));
        let text = answer.text();
        if answer.status == 200 {
            // What is not taken from there may be left out, but then it has no effect.
            let acl = yard.own("GET", &yard.at("mine?acl"), &[], b"").text();
            let tags = yard.own("GET", &yard.at("mine?tagging"), &[], b"").text();
            let content = yard.content("mine").unwrap();
            assert!(
                !acl.contains("AllUsers") && !tags.contains("<Key>") && content.is_empty(),
                "{query}: {acl} {tags}"
            );
            continue;
        }
        is_denied(&answer, &format!("{query}: {text}"));
    }
}

#[test]
fn an_address_and_a_header_are_one_signature_too_many() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at(SECRET));
    let by_header = signed(yard.request("GET", &target, &[], b""), &root);
    let by_address = presigned(&yard, "GET", &target, &root, now(), 60);
    let both = Request { target: by_address.target.clone(), ..by_header.clone() };
    is_refused(&yard.scene.connection.send(&both), 400, "InvalidArgument", "both");
    // Pieces of one do not help the other.
    for piece in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "X-Amz-Signature=0",
        "X-Amz-Credential=a",
        "AWSAccessKeyId=a&Signature=b&Expires=9999999999",
    ] {
        let mut request = by_header.clone();
        request.target = format!("{target}?{piece}");
        let answer = yard.scene.connection.send(&request);
        assert!([400, 403].contains(&answer.status), "{piece}: {}", answer.text());
        let answer = yard.call(None, "GET", &format!("{target}?{piece}"), &[], b"");
        assert!([400, 403].contains(&answer.status), "{piece}: {}", answer.text());
    }
}

#[test]
fn an_address_is_worth_what_its_signer_may_do_now() {
    let mut yard = Yard::new();
    let reader = yard.worker("reader", &[allow(&["s3:GetObject"], &["BUCKET/*"])]);
    let target = yard.at(SECRET);
    let address = presigned(&yard, "GET", &target, &reader, now(), 3600);
    yard.scene.connection.send(&address).success();
    yard.let_worker("reader", &[allow(&["s3:GetObject"], &["BUCKET/public/*"])]);
    is_denied(&yard.scene.connection.send(&address), "a right that was taken away");
    let idle = yard.scene.account.user.clone();
    is_denied(
        &yard.scene.connection.send(&presigned(&yard, "GET", &target, &idle, now(), 60)),
        "a signer without rights",
    );
    let stranger = yard.stranger().root;
    is_denied(&yard.scene.connection.send(&presigned(&yard, "GET", &target, &stranger, now(), 60)), "a stranger");
}

#[test]
fn an_address_that_names_its_body_s_hash_takes_no_other_body() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at("upload"));
    let mut request = yard.request("PUT", &target, &[], b"");
    let mut parts = parts(&request);
    let signer = Signer { credentials: &root, region: HERE, service: "s3", at: now() };
    let hash = Sha256::digest(b"agreed").into();
    signer.presign(&mut parts, Duration::from_secs(60), SignableBody::Sha256(hash)).unwrap();
    request.target = parts.uri.to_string();
    request.body = b"forged".to_vec();
    is_refused(&yard.scene.connection.send(&request), 400, "XAmzContentSHA256Mismatch", "another body");
    // The head does not say otherwise than the address.
    request.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let answer = yard.scene.connection.send(&request);
    assert!([400, 403].contains(&answer.status), "{}", answer.text());
    assert_eq!(yard.content("upload"), None);
    request.remove("x-amz-content-sha256");
    request.body = b"agreed".to_vec();
    yard.scene.connection.send(&request).success();
}
