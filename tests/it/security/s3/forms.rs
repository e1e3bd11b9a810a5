//! Browsers' forms: a policy says what may be uploaded, and nothing else is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};
use tests::raw::Answer;
use wire::sigv4::{CredentialScope, Credentials, SigningKey};

use super::yard::{HERE, PRIVATE, SECRET, Yard, allow, allow_all, is_denied, is_refused, outcome};
use crate::security::target::now;

const BOUNDARY: &str = "----a-boundary";

/// A form: its fields in order, and its file.
#[derive(Clone)]
struct Form {
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Form {
    /// A form that keeps to `conditions` by `fields`, signed by somebody.
    fn signed(yard: &Yard, by: &Credentials, conditions: &[Json], fields: &[(&str, &str)]) -> Self {
        let (at, expires) = (now(), now().plus(std::time::Duration::from_secs(600)));
        let scope = CredentialScope::new(at, HERE, "s3");
        let credential = format!("{}/{scope}", by.access_key_id);
        let mut all = vec![
            json!({ "bucket": yard.bucket }),
            json!({ "x-amz-algorithm": "AWS4-HMAC-SHA256" }),
            json!({ "x-amz-credential": credential }),
            json!({ "x-amz-date": at.basic() }),
        ];
        all.extend(by.session_token.iter().map(|token| json!({ "x-amz-security-token": token })));
        all.extend(conditions.iter().cloned());
        let policy = BASE64.encode(json!({ "expiration": expires.iso8601(), "conditions": all }).to_string());
        let signature = SigningKey::derive(&by.secret_access_key, &scope).sign(policy.as_bytes());
        let mut own: Vec<(String, String)> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fixed = [
            ("x-amz-algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("x-amz-credential", credential),
            ("x-amz-date", at.basic()),
            ("policy", policy),
            ("x-amz-signature", signature),
        ];
        own.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        own.extend(by.session_token.iter().map(|token| ("x-amz-security-token".to_owned(), token.clone())));
        Self { fields: own, file: b"uploaded".to_vec() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => value.clone_into(old),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    fn and(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            body.extend_from_slice(
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                    .as_bytes(),
            );
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: text/plain\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body
    }

    #[track_caller]
    fn send(&self, yard: &mut Yard) -> Answer {
        self.send_to(yard, &format!("/{}", yard.bucket))
    }

    #[track_caller]
    fn send_to(&self, yard: &mut Yard, target: &str) -> Answer {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        yard.call(None, "POST", target, &[("content-type", &kind)], &self.body())
    }
}

/// What most of these forms allow: a picture below a place of one's own.
fn conditions() -> Vec<Json> {
    vec![
        json!(["starts-with", "$key", "user/eve/"]),
        json!({ "acl": "private" }),
        json!(["starts-with", "$Content-Type", "image/"]),
        json!(["content-length-range", 1, 100]),
    ]
}

const FIELDS: [(&str, &str); 3] = [("key", "user/eve/picture"), ("acl", "private"), ("Content-Type", "image/png")];

#[test]
fn a_form_uploads_what_its_policy_says_and_nothing_else() {
    let mut yard = Yard::new();
    yard.with_acls("BucketOwnerPreferred");
    yard.unblock();
    let root = yard.root();
    let good = Form::signed(&yard, &root, &conditions(), &FIELDS);
    let answer = good.send(&mut yard);
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(yard.content("user/eve/picture").as_deref(), Some(&b"uploaded"[..]));
    let forged = |change: &dyn Fn(&str) -> String| {
        let policy = good.fields.iter().find(|(name, _)| name == "policy").unwrap().1.clone();
        let text = String::from_utf8(BASE64.decode(policy).unwrap()).unwrap();
        good.clone().with("policy", &BASE64.encode(change(&text)))
    };
    yard.put("user/eve/picture", b"before");
    let spoilt = [
        ("another's key", good.clone().with("key", "user/bob/picture")),
        ("a key without its beginning", good.clone().with("key", "picture")),
        ("a key in other letters", good.clone().with("key", "USER/EVE/x")),
        ("a public list", good.clone().with("acl", "public-read")),
        ("no list", good.clone().without("acl")),
        ("another type", good.clone().with("Content-Type", "text/html")),
        ("no type", good.clone().without("Content-Type")),
        ("a field that no condition allows", good.clone().and("x-amz-meta-a", "b")),
        (
            "a redirection that no condition allows",
            good.clone().and("success_action_redirect", "https://evil.example/"),
        ),
        ("tags that no condition allows", good.clone().and("tagging", "<Tagging><TagSet/></Tagging>")),
        ("a website's redirection", good.clone().and("x-amz-website-redirect-location", "https://evil.example/")),
        ("a grant", good.clone().and("x-amz-grant-read", "uri=http://acs.amazonaws.com/groups/global/AllUsers")),
        ("a copy", good.clone().and("x-amz-copy-source", &format!("{}/{SECRET}", yard.bucket))),
        ("two keys", good.clone().and("key", "user/bob/picture")),
        ("two keys in other letters", good.clone().and("Key", "user/bob/picture")),
        ("two lists", good.clone().and("ACL", "public-read")),
        ("too large a file", Form { file: vec![b'x'; 101], ..good.clone() }),
        ("no file", Form { file: Vec::new(), ..good.clone() }),
        ("no signature", good.clone().without("x-amz-signature")),
        ("no policy", good.clone().without("policy")),
        ("no key's id", good.clone().without("x-amz-credential")),
        ("no date", good.clone().without("x-amz-date")),
        ("no algorithm", good.clone().without("x-amz-algorithm")),
        ("another algorithm", good.clone().with("x-amz-algorithm", "AWS4-HMAC-SHA1")),
        ("another signature", good.clone().with("x-amz-signature", &"0".repeat(64))),
        ("a policy that lives longer", forged(&|text| text.replace("expiration\":\"20", "expiration\":\"21"))),
        ("a policy for another place", forged(&|text| text.replace("user/eve/", "user/"))),
        ("a policy that allows more", forged(&|text| text.replace("100]", "1000]"))),
        ("an empty policy", good.clone().with("policy", "")),
        ("a policy that is none", good.clone().with("policy", "!!!")),
        ("a policy of another form", good.clone().with("policy", &BASE64.encode("[]"))),
        ("the signature of old", good.clone().and("AWSAccessKeyId", "AKIA").and("signature", "x")),
    ];
    for (how, form) in spoilt {
        let answer = form.send(&mut yard);
        let (status, code) = outcome(&answer);
        assert!([400, 403, 411].contains(&status) && !code.is_empty(), "{how}: {status} {}", answer.text());
        assert_eq!(yard.content("user/eve/picture").as_deref(), Some(&b"before"[..]), "{how}");
        for key in ["user/bob/picture", "picture", "USER/EVE/x"] {
            assert_eq!(yard.content(key), None, "{how}");
        }
    }
}

#[test]
fn a_form_is_for_its_bucket_and_its_time() {
    let mut yard = Yard::new();
    let root = yard.root();
    let other = format!("other-{}", yard.scene.account.id);
    yard.own("PUT", &format!("/{other}"), &[], b"");
    let good = Form::signed(&yard, &root, &conditions()[..1], &FIELDS[..1]);
    is_denied(&good.send_to(&mut yard, &format!("/{other}")), "another bucket");
    let answer = good.clone().and("bucket", &yard.bucket).send_to(&mut yard, &format!("/{other}"));
    assert!([400, 403].contains(&answer.status), "a field does not name the bucket: {}", answer.text());
    // A policy that names no bucket allows none.
    let mut nameless = Form::signed(&yard, &root, &conditions()[..1], &FIELDS[..1]);
    let policy = nameless.fields.iter().find(|(name, _)| name == "policy").unwrap().1.clone();
    let mut document: Json = serde_json::from_slice(&BASE64.decode(policy).unwrap()).unwrap();
    document["conditions"].as_array_mut().unwrap().remove(0);
    let sign = |document: &Json| {
        let policy = BASE64.encode(document.to_string());
        let scope = CredentialScope::new(now(), HERE, "s3");
        let signature = SigningKey::derive(&root.secret_access_key, &scope).sign(policy.as_bytes());
        (policy, signature)
    };
    let (policy, signature) = sign(&document);
    nameless = nameless.with("policy", &policy).with("x-amz-signature", &signature);
    is_denied(&nameless.send(&mut yard), "a policy that names no bucket");
    let mut past = document.clone();
    past["conditions"].as_array_mut().unwrap().push(json!({ "bucket": yard.bucket }));
    for (expiration, status) in [("2020-01-01T00:00:00Z", 403), ("never", 400), ("", 400)] {
        past["expiration"] = expiration.into();
        let (policy, signature) = sign(&past);
        let answer = nameless.clone().with("policy", &policy).with("x-amz-signature", &signature).send(&mut yard);
        assert_eq!(outcome(&answer).0, status, "{expiration}: {}", answer.text());
    }
    assert_eq!(yard.content("user/eve/picture"), None);
}

#[test]
fn a_form_is_worth_what_its_signer_may_do() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    yard.unblock();
    let writer = yard.worker("writer", &[allow(&["s3:PutObject"], &["BUCKET/user/*"])]);
    let any = [
        json!(["starts-with", "$key", ""]),
        json!(["starts-with", "$acl", ""]),
        json!(["starts-with", "$tagging", ""]),
    ];
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    for (key, acl, tagging, is_allowed) in [
        ("user/mine", None, None, true),
        (SECRET, None, None, false),
        ("user/mine", Some("public-read"), None, false),
        ("user/mine", None, Some(tags), false),
    ] {
        let needed: Vec<Json> = [true, acl.is_some(), tagging.is_some()]
            .iter()
            .zip(&any)
            .filter(|(used, _)| **used)
            .map(|(_, it)| it.clone())
            .collect();
        let mut fields = vec![("key", key)];
        fields.extend(acl.map(|acl| ("acl", acl)));
        fields.extend(tagging.map(|tags| ("tagging", tags)));
        let answer = Form::signed(&yard, &writer, &needed, &fields).send(&mut yard);
        if is_allowed {
            assert_eq!(answer.status, 204, "{}", answer.text());
        } else {
            is_denied(&answer, &format!("{key} {acl:?} {tagging:?}"));
        }
    }
    let stranger = yard.stranger().root;
    is_denied(&Form::signed(&yard, &stranger, &any[..1], &[("key", "user/theirs")]).send(&mut yard), "a stranger");
    let idle = yard.scene.account.user.clone();
    is_denied(&Form::signed(&yard, &idle, &any[..1], &[("key", "user/idle")]).send(&mut yard), "a user without rights");
    let no_token = Credentials { session_token: None, ..writer };
    let answer = Form::signed(&yard, &no_token, &any[..1], &[("key", "user/mine")]).send(&mut yard);
    assert!([400, 403].contains(&answer.status), "{}", answer.text());
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
    // The session has no hand in what a policy denies to forms.
    yard.policy(&[json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "BUCKET/*", "Condition": { "StringEquals": { "s3:authType": "POST" } } })]);
    let root = yard.root();
    is_denied(&Form::signed(&yard, &root, &any[..1], &[("key", "user/mine")]).send(&mut yard), "forms are denied");
}

#[test]
fn a_form_that_nobody_signed_is_anybodys_upload() {
    let mut yard = Yard::new();
    let bare = |fields: &[(&str, &str)]| Form {
        fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        file: b"planted".to_vec(),
    };
    is_denied(&bare(&[("key", "planted")]).send(&mut yard), "a closed bucket");
    yard.unblock();
    yard.policy(&[allow_all(&["s3:PutObject"], &["BUCKET/inbox/*"])]);
    for key in ["planted", SECRET, "inbox", "inbox/../secret/diary\0", ""] {
        let answer = bare(&[("key", key)]).send(&mut yard);
        let (status, _) = outcome(&answer);
        assert!([400, 403].contains(&status) || key.starts_with("inbox/"), "{key:?}: {status} {}", answer.text());
    }
    for (name, value) in [
        ("acl", "public-read"),
        ("tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"),
    ] {
        let answer = bare(&[("key", "inbox/x"), (name, value)]).send(&mut yard);
        let (status, code) = outcome(&answer);
        assert!([400, 403].contains(&status), "{name}: {status} {code}");
    }
    let answer = bare(&[("key", "inbox/${filename}")]).send(&mut yard);
    assert_eq!(answer.status, 204, "{}", answer.text());
    assert_eq!(yard.content("inbox/f").as_deref(), Some(&b"planted"[..]));
    assert_eq!((yard.content("planted"), yard.content(SECRET)), (None, Some(PRIVATE.as_bytes().to_vec())));
}

#[test]
fn what_a_form_says_becomes_no_header_of_its_own() {
    let mut yard = Yard::new();
    let root = yard.root();
    let free =
        |names: &[&str]| names.iter().map(|name| json!(["starts-with", format!("${name}"), ""])).collect::<Vec<Json>>();
    let evil = "x\r\nset-cookie: a=b\r\n\r\n<script>";
    for (name, key) in [
        ("key", evil),
        ("Content-Type", "k"),
        ("Cache-Control", "k"),
        ("Content-Disposition", "k"),
        ("x-amz-meta-a", "k"),
        ("x-amz-website-redirect-location", "k"),
        ("success_action_redirect", "k"),
        ("success_action_status", "k"),
    ] {
        let value = if name == "success_action_redirect" || name.ends_with("location") {
            format!("https://a.example/{evil}")
        } else {
            evil.to_owned()
        };
        let mut fields = vec![("key", key)];
        if name != "key" {
            fields.push((name, &value));
        }
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let answer = Form::signed(&yard, &root, &free(&names), &fields).send(&mut yard);
        assert_eq!(answer.header("set-cookie"), None, "{name}: {:?}", answer.headers);
        let at = yard.at("k");
        for (by, method) in [(Some(&root), "GET"), (Some(&root), "HEAD")] {
            let read = yard.call(by, method, &at, &[], b"");
            assert_eq!(read.header("set-cookie"), None, "{name}: {:?}", read.headers);
        }
    }
    for url in ["javascript:alert(1)", "//evil.example", "data:text/html,x", "/relative"] {
        let fields = [("key", "k"), ("success_action_redirect", url)];
        let answer = Form::signed(&yard, &root, &free(&["key", "success_action_redirect"]), &fields).send(&mut yard);
        let location = answer.header("location").unwrap_or_default().to_owned();
        assert!(answer.status != 303 || location.starts_with("http"), "{url}: {} {location}", answer.status);
    }
}

#[test]
fn a_form_that_is_none_is_refused_and_takes_no_room() {
    let mut yard = Yard::new();
    yard.unblock();
    yard.policy(&[allow_all(&["s3:PutObject"], &["BUCKET/*"])]);
    let target = format!("/{}", yard.bucket);
    let part = |head: &str, value: &str| format!("--b\r\n{head}\r\n\r\n{value}\r\n");
    let key = part("Content-Disposition: form-data; name=\"key\"", "k");
    let file = part("Content-Disposition: form-data; name=\"file\"; filename=\"f\"", "x");
    let bodies = [
        String::new(),
        "--b".to_owned(),
        "--b--\r\n".to_owned(),
        key.clone(),
        format!("{key}--b--\r\n"),
        format!("{file}--b--\r\n"),
        format!("{key}{file}"),
        format!("{}{file}--b--\r\n", part("Content-Disposition: form-data; name=\"key\"", &"k".repeat(1025))),
        format!(
            "{}{key}{file}--b--\r\n",
            part("Content-Disposition: form-data; name=\"x-amz-meta-a\"", &"v".repeat(3000))
        ),
        part(&format!("Content-Disposition: form-data; name=\"{}\"", "n".repeat(100_000)), "v"),
        format!("{}{key}{file}--b--\r\n", part("X: y", "v")),
        part("Content-Disposition: form-data; name=\"key\"", &"k".repeat(100_000)),
        part("Content-Disposition: form-data; name=\"a\"", "v").repeat(3000),
        format!("{}{file}--b--\r\n", "\r\n".repeat(50_000)),
    ];
    for body in bodies {
        for kind in [
            "multipart/form-data; boundary=b",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"b",
        ] {
            let answer = yard.call(None, "POST", &target, &[("content-type", kind)], body.as_bytes());
            let (status, code) = outcome(&answer);
            let shown: String = body.chars().take(80).collect();
            assert!((400..415).contains(&status) && !code.is_empty(), "{kind} {shown:?}: {status} {}", answer.text());
        }
    }
    let root = yard.root();
    let fine = Form::signed(&yard, &root, &[json!({ "key": "k" })], &[("key", "k")]);
    // With a signature in its head as well it is refused, or the form is not looked at.
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = yard.call(Some(&root), "POST", &target, &[("content-type", &kind)], &fine.body());
    assert!(answer.status >= 400, "{}", answer.text());
    is_refused(
        &yard.call(None, "POST", "/", &[("content-type", &kind)], &fine.body()),
        405,
        "MethodNotAllowed",
        "no bucket",
    );
}
