//! Browsers' forms with a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::*;
use crate::serve::harness::run;

const CREDENTIAL: &str = "AKIDKNOWNKNOWN000001/20260101/eu-north-1/s3/aws4_request";

/// A form of these fields and this file.
fn form(target: &str, fields: &[(&str, &str)], file: &[u8]) -> Request {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend_from_slice(part.as_bytes());
    }
    let head = "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cat.png\"\r\nContent-Type: image/png\r\n\r\n";
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--XX--\r\n");
    request("POST", target, &body).header("content-type", "multipart/form-data; boundary=XX")
}

/// Fields with a policy of these conditions, and its signature.
fn signed(fields: &[(&str, &str)], conditions: &[Value]) -> Vec<(String, String)> {
    let own =
        [("x-amz-algorithm", "AWS4-HMAC-SHA256"), ("x-amz-credential", CREDENTIAL), ("x-amz-date", "20260101T000000Z")];
    let mut all: Vec<Value> = own.iter().map(|(name, value)| json!({*name: value})).collect();
    all.extend(conditions.iter().cloned());
    let policy = BASE64.encode(json!({"expiration": "2026-01-01T00:00:00.000Z", "conditions": all}).to_string());
    let scope = CredentialScope::new(NOW, "eu-north-1", "s3");
    let signature = SigningKey::derive(&SecretAccessKey::new(SECRET), &scope).sign(policy.as_bytes());
    let last = [("policy", policy.as_str()), ("X-Amz-Signature", signature.as_str())];
    let fields = fields.iter().chain(&own).chain(&last);
    fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn with(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn a_form_uploads_its_file_and_is_answered_as_it_wants() {
    run(async {
        let running = Running::start().await;
        let conditions = [
            json!({"bucket": "b"}),
            json!(["starts-with", "$key", "user/"]),
            json!(["starts-with", "$x-amz-meta-a", ""]),
            json!({"success_action_status": "201"}),
            json!(["content-length-range", 1, 30_000]),
        ];
        let bytes = b"\r\n--X not the end".repeat(1000);
        let fields = [("key", "user/${filename} 1"), ("x-amz-meta-a", "b"), ("success_action_status", "201")];
        let answer = running.send(&form("/b", &with(&signed(&fields, &conditions)), &bytes)).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, "application/xml"), "{}", answer.body);
        let location = "http://s3.localhost:4566/b/user/cat.png%201";
        assert_eq!((answer.element("Location"), answer.header("location")), (location.to_owned(), location));
        assert_eq!((answer.element("Bucket"), answer.element("Key")), ("b".into(), "user/cat.png 1".into()));
        let object = running.objects.get("b", "user/cat.png 1").unwrap();
        assert_eq!((object.bytes, object.caller.as_str()), (bytes, KEY));
        assert_eq!(object.metadata.get("a").map(String::as_str), Some("b"));
        // Nobody's, to the host that names the bucket, with another page after it.
        let redirect = [("key", "k"), ("success_action_redirect", "https://page.example/done?x=1")];
        let mut nobodys = form("/", &redirect, b"x");
        nobodys.parts.headers.insert("host", "open.s3.localhost:4566".parse().unwrap());
        let answer = running.send(&nobodys).await;
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), "https://page.example/done?x=1&bucket=open&key=k&etag=");
        assert_eq!(running.objects.get("open", "k").unwrap().caller, "nobody");
        assert_eq!(running.send(&form("/open/", &[("key", "k2")], b"")).await.status, 204);
    });
}

#[test]
fn a_form_that_does_not_keep_to_its_policy_uploads_nothing() {
    run(async {
        let running = Running::start().await;
        let conditions =
            [json!({"bucket": "b"}), json!(["starts-with", "$key", "user/"]), json!(["content-length-range", 2, 4])];
        let good = signed(&[("key", "user/k")], &conditions);
        let changed = |name: &str, value: &str| {
            let mut fields = good.clone();
            fields.iter_mut().filter(|(field, _)| field == name).for_each(|(_, text)| value.clone_into(text));
            fields
        };
        let mut extra = good.clone();
        extra.push(("acl".to_owned(), "public-read".to_owned()));
        let mut twice = good.clone();
        twice.push(("Key".to_owned(), "user/other".to_owned()));
        let without = |name: &str| good.iter().filter(|(field, _)| field != name).cloned().collect::<Vec<_>>();
        for (target, fields, file, refused) in [
            ("/b", changed("key", "other/k"), &b"abc"[..], (403, "AccessDenied")),
            ("/c", good.clone(), b"abc", (403, "AccessDenied")),
            ("/b", extra, b"abc", (403, "AccessDenied")),
            ("/b", twice, b"abc", (400, "MalformedPOSTRequest")),
            ("/b", changed("X-Amz-Signature", &"0".repeat(64)), b"abc", (403, "SignatureDoesNotMatch")),
            ("/b", changed("policy", &BASE64.encode("{}")), b"abc", (403, "SignatureDoesNotMatch")),
            ("/b", without("X-Amz-Signature"), b"abc", (400, "InvalidArgument")),
            ("/b", without("policy"), b"abc", (400, "InvalidArgument")),
            ("/b", without("key"), b"abc", (400, "InvalidArgument")),
            ("/b", good.clone(), b"a", (400, "EntityTooSmall")),
            ("/b", good.clone(), b"abcde", (400, "EntityTooLarge")),
            ("/b/k", good.clone(), b"abc", (405, "MethodNotAllowed")),
            ("/", good.clone(), b"abc", (405, "MethodNotAllowed")),
            (
                "/b",
                vec![("key".into(), "k".into()), ("AWSAccessKeyId".into(), KEY.into())],
                b"abc",
                (400, "InvalidRequest"),
            ),
        ] {
            let answer = running.send(&form(target, &with(&fields), file)).await;
            assert_eq!((answer.status, answer.code().as_str()), refused, "{target} {fields:?}: {}", answer.body);
            assert!(running.objects.is_empty());
        }
        let answer = running.send(&form("/b", &with(&good), b"abc")).await;
        assert_eq!(answer.status, 204, "{}", answer.body);
    });
}

#[test]
fn a_form_that_breaks_off_uploads_nothing() {
    run(async {
        let running = Running::start().await;
        let whole = form("/b", &[("key", "k")], &[b'x'; 9000]);
        for cut in [10, 100, 5000, whole.body.len() - 12] {
            let mut short = whole.clone();
            short.body.truncate(cut);
            let answer = running.send(&short).await;
            assert_eq!(answer.status, 400, "{cut}: {}", answer.body);
            assert!(running.objects.is_empty(), "{cut}");
        }
    });
}
