//! What a policy may depend on: no condition is got around by how a request is written.

use serde_json::{Value as Json, json};
use wire::sigv4::{Credentials, SignableBody};

use super::yard::{PRIVATE, SECRET, Yard, allow, is_denied, outcome, signed, signed_as};
use crate::security::authorization::{make_role, session_of};
use crate::security::target::now;

fn deny(action: &str, condition: Json) -> Json {
    json!({ "Effect": "Deny", "Principal": "*", "Action": action, "Resource": ["BUCKET", "BUCKET/*"], "Condition": condition })
}

fn allow_if(actions: &[&str], condition: Json) -> Json {
    json!({ "Effect": "Allow", "Action": actions, "Resource": ["BUCKET", "BUCKET/*"], "Condition": condition })
}

#[test]
fn whom_a_prefix_is_open_to_lists_nothing_beside_it() {
    let mut yard = Yard::new();
    yard.put("public/poster", b"for everyone");
    let condition = json!({ "StringEquals": { "s3:prefix": "public/" } });
    let reader = yard.worker("reader", &[allow_if(&["s3:ListBucket", "s3:ListBucketVersions"], condition)]);
    for query in ["?prefix=public/", "?list-type=2&prefix=public%2F", "?versions&prefix=public/"] {
        let target = yard.at(query);
        let answer = yard.call(Some(&reader), "GET", &target, &[], b"").success();
        assert!(answer.text().contains("poster") && !answer.text().contains("diary"), "{}", answer.text());
    }
    for query in [
        "",
        "?list-type=2",
        "?prefix=",
        "?prefix=secret/",
        "?prefix=public",
        "?prefix=public/../secret/",
        "?prefix=secret/&prefix=public/",
        "?prefix=public/&prefix=secret/",
        "?prefix[]=public/",
        "?Prefix=public/",
        "?list-type=2&prefix=public/&prefix=",
        "?list-type=2&start-after=public/",
        "?list-type=2&prefix=public/&continuation-token=x",
        "?prefix=public/&marker=a&delimiter=/",
        "?versions",
        "?versions&prefix=secret/",
        "?versions&prefix=public/&key-marker=a",
        "?uploads&prefix=public/",
    ] {
        let target = yard.at(query);
        let answer = yard.call(Some(&reader), "GET", &target, &[], b"");
        assert!(!answer.text().contains("diary"), "{query}: {}", answer.text());
    }
}

#[test]
fn a_token_that_continues_one_list_continues_no_other() {
    let mut yard = Yard::new();
    for key in ["a/1", "a/2", "b/1", "b/2"] {
        yard.put(key, b"");
    }
    let first = yard.at("?list-type=2&prefix=secret/&max-keys=1&start-after=a");
    yard.put("secret/more", b"");
    let token = yard.own("GET", &first, &[], b"").element("NextContinuationToken").unwrap();
    let token: String = form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let condition = json!({ "StringEquals": { "s3:prefix": "a/" } });
    let reader = yard.worker("reader", &[allow_if(&["s3:ListBucket"], condition)]);
    let target = yard.at(&format!("?list-type=2&prefix=a/&continuation-token={token}"));
    let answer = yard.call(Some(&reader), "GET", &target, &[], b"");
    assert!(!answer.text().contains("secret") && !answer.text().contains("b/"), "{}", answer.text());
}

#[test]
fn what_may_be_granted_is_not_granted_by_another_header() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    let everybody = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    yard.unblock();
    yard.policy(&[
        deny("s3:PutObject", json!({ "StringEquals": { "s3:x-amz-acl": "public-read" } })),
        deny("s3:PutObject", json!({ "Null": { "s3:x-amz-grant-read": "false" } })),
        deny("s3:PutObject", json!({ "StringLike": { "s3:x-amz-grant-full-control": "*AllUsers*" } })),
    ]);
    let root = yard.root();
    for (name, value) in
        [("x-amz-acl", "public-read"), ("x-amz-grant-read", everybody), ("x-amz-grant-full-control", everybody)]
    {
        let source = format!("{}/{SECRET}", yard.bucket);
        for (method, target, more) in [
            ("PUT", yard.at("mine"), None),
            ("POST", yard.at("mine?uploads"), None),
            ("PUT", yard.at("mine"), Some(("x-amz-copy-source", source.as_str()))),
        ] {
            let mut headers = vec![(name, value)];
            headers.extend(more);
            let answer = yard.call(Some(&root), method, &target, &headers, b"");
            is_denied(&answer, &format!("{method} {target} with {name}"));
        }
    }
}

#[test]
fn where_copies_may_come_from_holds_for_parts_too() {
    let mut yard = Yard::new();
    let source = format!("{}/{SECRET}", yard.bucket);
    let like = format!("{}/secret/*", yard.bucket);
    yard.policy(&[deny(
        "s3:PutObject",
        json!({ "StringLike": { "s3:x-amz-copy-source": [like, format!("/{like}")] } }),
    )]);
    let root = yard.root();
    let upload = yard.begin_upload(&root, "mine");
    for target in [yard.at("mine"), yard.at(&format!("mine?partNumber=1&uploadId={upload}"))] {
        for source in [source.clone(), format!("/{source}"), source.replace("secret/", "%73ecret%2F")] {
            let answer = yard.call(Some(&root), "PUT", &target, &[("x-amz-copy-source", &source)], b"");
            is_denied(&answer, &format!("{source} to {target}"));
        }
    }
}

#[test]
fn what_class_tags_and_deed_a_write_has_is_what_conditions_see_in_every_kind_of_write() {
    let mut yard = Yard::new();
    yard.policy(&[
        deny("s3:PutObject", json!({ "StringNotEqualsIfExists": { "s3:x-amz-storage-class": "STANDARD" } })),
        deny("s3:PutObject", json!({ "StringEquals": { "s3:RequestObjectTag/level": "open" } })),
        deny("s3:PutObjectTagging", json!({ "StringEquals": { "s3:RequestObjectTag/level": "open" } })),
    ]);
    let root = yard.root();
    let source = format!("{}/{SECRET}", yard.bucket);
    for (name, value, directive) in [
        ("x-amz-storage-class", "GLACIER", None),
        ("x-amz-tagging", "level=open", Some(("x-amz-tagging-directive", "REPLACE"))),
    ] {
        for (method, target, more) in [
            ("PUT", yard.at("mine"), None),
            ("POST", yard.at("mine?uploads"), None),
            ("PUT", yard.at("mine"), Some(("x-amz-copy-source", source.as_str()))),
        ] {
            let mut headers = vec![(name, value)];
            headers.extend(more);
            headers.extend(directive);
            let answer = yard.call(Some(&root), method, &target, &headers, b"");
            is_denied(&answer, &format!("{method} {target} with {name}"));
        }
    }
    let target = yard.at(&format!("{SECRET}?tagging"));
    let document = b"<Tagging><TagSet><Tag><Key>level</Key><Value>open</Value></Tag></TagSet></Tagging>";
    is_denied(&yard.call(Some(&root), "PUT", &target, &[], document), "tags in a document");
}

#[test]
fn what_an_object_is_tagged_with_is_looked_up_in_the_version_that_is_asked_for() {
    let mut yard = Yard::new();
    yard.with_versions();
    let page = yard.at("page");
    let old = yard.own("PUT", &page, &[], PRIVATE.as_bytes()).header("x-amz-version-id").unwrap().to_owned();
    yard.own("PUT", &page, &[("x-amz-tagging", "level=open")], b"open");
    let condition = json!({ "StringEquals": { "s3:ExistingObjectTag/level": "open" } });
    let reads = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectVersionTagging", "s3:GetObjectVersionAcl"];
    let reader = yard.worker("reader", &[allow_if(&reads, condition.clone()), allow(&["s3:PutObject"], &["BUCKET/*"])]);
    yard.call(Some(&reader), "GET", &page, &[], b"").success();
    for facet in ["", "&tagging", "&acl"] {
        let target = yard.at(&format!("page?versionId={old}{facet}"));
        is_denied(&yard.call(Some(&reader), "GET", &target, &[], b""), &target);
    }
    let source = format!("{}/page?versionId={old}", yard.bucket);
    let target = yard.at("copy");
    let answer = yard.call(Some(&reader), "PUT", &target, &[("x-amz-copy-source", &source)], b"");
    is_denied(&answer, "a copy of a version that is not open");
    let target = yard.at(SECRET);
    is_denied(&yard.call(Some(&reader), "GET", &target, &[], b""), "an object without tags");
}

#[test]
fn where_a_request_comes_from_is_not_told_by_its_headers() {
    let mut yard = Yard::new();
    let condition = json!({ "IpAddress": { "aws:SourceIp": "203.0.113.0/24" } });
    let reader = yard.worker("reader", &[allow_if(&["s3:GetObject"], condition)]);
    let target = yard.at(SECRET);
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "client-ip", "true-client-ip", "via"] {
        let value = if name == "forwarded" { "for=203.0.113.7" } else { "203.0.113.7" };
        is_denied(&yard.call(Some(&reader), "GET", &target, &[(name, value)], b""), name);
    }
    yard.policy(&[deny("s3:*", json!({ "Bool": { "aws:SecureTransport": "false" } }))]);
    let root = yard.root();
    for name in ["x-forwarded-proto", "x-forwarded-ssl", "front-end-https"] {
        is_denied(&yard.call(Some(&root), "GET", &target, &[(name, "https")], b""), name);
    }
}

#[test]
fn a_session_reads_no_more_than_its_own_policy_names() {
    let mut yard = Yard::new();
    yard.put("public/poster", b"for everyone");
    make_role(&mut yard.scene, "all");
    yard.let_worker("all", &[allow(&["s3:*"], &["*"])]);
    let text = yard.policy_text(&[allow(&["s3:GetObject"], &["BUCKET/public/*"])]);
    let session = session_of(&mut yard.scene, "all", Some(&text));
    let (poster, target) = (yard.at("public/poster"), yard.at(SECRET));
    yard.call(Some(&session), "GET", &poster, &[], b"").success();
    for (method, target) in [("GET", &target), ("PUT", &poster), ("DELETE", &poster), ("HEAD", &target)] {
        is_denied(&yard.call(Some(&session), method, target, &[], b""), &format!("{method} {target}"));
    }
    for target in ["/", &yard.at(""), &yard.at("public/%2e%2e/secret/diary")] {
        let answer = yard.call(Some(&session), "GET", target, &[], b"");
        assert!([403, 404].contains(&answer.status), "{target}: {}", answer.text());
    }
    // A policy of the bucket's that lets the role in does not widen the session.
    let role = format!("arn:aws:iam::{}:role/all", yard.scene.account.id);
    yard.policy(&[json!({
        "Effect": "Allow", "Principal": { "AWS": role }, "Action": "s3:GetObject", "Resource": "BUCKET/*",
    })]);
    is_denied(&yard.call(Some(&session), "GET", &target, &[], b""), "a session under a bucket's policy");
}

#[test]
fn a_session_is_nothing_without_its_token_and_with_anothers() {
    let mut yard = Yard::new();
    let one = yard.worker("one", &[allow(&["s3:*"], &["*"])]);
    let two = yard.worker("two", &[allow(&["s3:*"], &["*"])]);
    let target = yard.at(SECRET);
    yard.call(Some(&one), "GET", &target, &[], b"").success();
    for token in [None, two.session_token.clone(), Some("forged".to_owned()), Some(String::new())] {
        let wrong = Credentials { session_token: token.clone(), ..one.clone() };
        let answer = yard.call(Some(&wrong), "GET", &target, &[], b"");
        let (status, code) = outcome(&answer);
        assert!(
            ["InvalidAccessKeyId", "InvalidToken", "InvalidRequest"].contains(&&*code),
            "{token:?}: {status} {}",
            answer.text()
        );
    }
    // A token that was put on after signing.
    let bare = Credentials { session_token: None, ..one.clone() };
    let mut request = signed(yard.request("GET", &target, &[], b""), &bare);
    request.set("x-amz-security-token", one.session_token.as_deref().unwrap());
    let answer = yard.scene.connection.send(&request);
    assert!([400, 403].contains(&answer.status), "{}", answer.text());
}

#[test]
fn a_request_is_for_the_region_in_which_its_bucket_is() {
    let mut yard = Yard::new();
    let condition = json!({ "StringEquals": { "aws:RequestedRegion": "eu-north-1" } });
    let abroad = yard.worker("abroad", &[allow_if(&["s3:*"], condition)]);
    let target = yard.at(SECRET);
    for region in ["eu-north-1", "us-east-1", "nowhere-1"] {
        let request = yard.request("GET", &target, &[], b"");
        let request = signed_as(request, &abroad, SignableBody::Bytes(b""), region, now());
        let answer = yard.scene.connection.send(&request);
        let (status, code) = outcome(&answer);
        assert!([301, 400, 403].contains(&status) && !answer.text().contains(PRIVATE), "{region}: {status} {code}");
    }
}

#[test]
fn how_and_how_long_ago_a_request_was_signed_is_what_conditions_see() {
    let mut yard = Yard::new();
    let target = yard.at(SECRET);
    let reader = yard.worker("reader", &[allow(&["s3:GetObject", "s3:PutObject"], &["BUCKET/*"])]);
    let presigned = |yard: &Yard, age_ms: i64| {
        let at = base::Timestamp::from_millis(now().as_millis() - age_ms);
        super::presigned::presigned(yard, "GET", &target, &reader, at, 3600)
    };
    // (User guide: "Amazon S3 condition key examples": limits how old presigned addresses may be.)
    yard.policy(&[deny("s3:*", json!({ "NumericGreaterThan": { "s3:signatureAge": "600000" } }))]);
    let (old, young) = (presigned(&yard, 660_000), presigned(&yard, 0));
    is_denied(&yard.scene.connection.send(&old), "an address of eleven minutes");
    yard.scene.connection.send(&young).success();
    yard.policy(&[deny("s3:*", json!({ "StringNotEquals": { "s3:authType": "REST-HEADER" } }))]);
    is_denied(&yard.scene.connection.send(&young), "a signature in an address");
    yard.call(Some(&reader), "GET", &target, &[], b"").success();
    yard.policy(&[deny("s3:PutObject", json!({ "StringEquals": { "s3:x-amz-content-sha256": "UNSIGNED-PAYLOAD" } }))]);
    let mine = yard.at("mine");
    let request =
        signed_as(yard.request("PUT", &mine, &[], b"x"), &reader, SignableBody::Unsigned, super::yard::HERE, now());
    is_denied(&yard.scene.connection.send(&request), "a body that is not signed");
    yard.call(Some(&reader), "PUT", &mine, &[], b"x").success();
}
