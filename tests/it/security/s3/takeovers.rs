//! Who was let in does not make the house theirs; what strangers write forges nothing; and names are nobody's to take.

use serde_json::json;

use super::yard::{PRIVATE, SECRET, Yard, allow_all, is_denied, is_refused, outcome};

#[test]
fn whom_a_policy_allows_everything_cannot_touch_the_policy() {
    let mut yard = Yard::new();
    let guest = yard.stranger();
    let arn = format!("arn:aws:iam::{}:root", guest.id);
    let statement =
        json!({ "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "s3:*", "Resource": ["BUCKET", "BUCKET/*"] });
    yard.policy(std::slice::from_ref(&statement));
    let (target, text) = (yard.at("?policy"), yard.policy_text(&[statement]));
    for (method, body) in [("GET", ""), ("PUT", text.as_str()), ("DELETE", "")] {
        let answer = yard.call(Some(&guest.root), method, &target, &[], body.as_bytes());
        is_refused(&answer, 405, "MethodNotAllowed", method);
    }
    assert!(yard.own("GET", &target, &[], b"").text().contains(&arn));
    // The owner takes everything back.
    yard.own("DELETE", &target, &[], b"");
    let secret = yard.at(SECRET);
    is_denied(&yard.call(Some(&guest.root), "GET", &secret, &[], b""), "a guest that was shown out");
}

#[test]
fn anybody_may_write_but_not_begin_what_takes_days() {
    let mut yard = Yard::new();
    yard.unblock();
    yard.policy(&[allow_all(&["s3:*"], &["BUCKET", "BUCKET/*"])]);
    let (begin, target) = (yard.at("k?uploads"), yard.at("k"));
    is_denied(&yard.call(None, "POST", &begin, &[], b""), "an upload in parts");
    yard.call(None, "PUT", &target, &[], b"k").success();
    // What lies there is the owner's, who reads it and takes it away.
    assert_eq!(yard.content("k").as_deref(), Some(&b"k"[..]));
    for (method, query) in [("PUT", "?policy"), ("DELETE", "?policy"), ("GET", "?policy")] {
        let answer = yard.call(None, method, &yard.at(query), &[], b"{}");
        assert!([400, 403, 405].contains(&answer.status), "{method} {query}: {} {}", answer.status, answer.text());
    }
    let buckets = yard.call(None, "GET", "/", &[], b"");
    assert!(buckets.status >= 400, "{}", buckets.text());
}

#[test]
fn a_name_that_is_taken_is_neither_taken_over_nor_given_up_by_others() {
    let mut yard = Yard::new();
    let stranger = yard.stranger().root;
    let bucket = format!("/{}", yard.bucket);
    let answer = yard.call(Some(&stranger), "PUT", &bucket, &[], b"");
    is_refused(&answer, 409, "BucketAlreadyExists", "a stranger");
    for headers in [&[("x-amz-acl", "public-read-write")][..], &[("x-amz-object-ownership", "ObjectWriter")]] {
        let root = yard.root();
        let again = yard.call(Some(&root), "PUT", &bucket, headers, b"");
        assert!([200, 400, 403, 409].contains(&again.status), "{}", again.text());
    }
    let ownership = yard.own("GET", &yard.at("?ownershipControls"), &[], b"").text();
    assert!(ownership.contains("BucketOwnerEnforced"), "made again, it is as it was: {ownership}");
    is_denied(&yard.call(None, "PUT", &format!("{bucket}-new"), &[], b""), "nobody makes buckets");
    is_denied(&yard.call(Some(&stranger), "DELETE", &bucket, &[], b""), "a stranger deletes");
    let root = yard.root();
    is_refused(&yard.call(Some(&root), "DELETE", &bucket, &[], b""), 409, "BucketNotEmpty", "with something in it");
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
}

#[test]
fn events_go_nowhere_that_is_not_there_or_is_others() {
    let mut yard = Yard::new();
    let (root, stranger) = (yard.root(), yard.stranger());
    let target = yard.at("?notification");
    for account in [&yard.scene.account.id.clone(), &stranger.id] {
        for (kind, field, arn) in [
            ("CloudFunction", "CloudFunction", format!("arn:aws:lambda:us-east-1:{account}:function:f")),
            ("Queue", "Queue", format!("arn:aws:sqs:us-east-1:{account}:q")),
            ("Topic", "Topic", format!("arn:aws:sns:us-east-1:{account}:t")),
            ("Queue", "Queue", "http://169.254.169.254/latest/meta-data".to_owned()),
            ("Topic", "Topic", "file:///etc/passwd".to_owned()),
        ] {
            let document = format!(
                "<NotificationConfiguration><{kind}Configuration><{field}>{arn}</{field}><Event>s3:ObjectCreated:*</Event>\
                 </{kind}Configuration></NotificationConfiguration>"
            );
            let answer = yard.call(Some(&root), "PUT", &target, &[], document.as_bytes());
            is_refused(&answer, 400, "InvalidArgument", &arn);
        }
    }
    let kept = yard.own("GET", &target, &[], b"").text();
    assert!(!kept.contains("arn:"), "{kept}");
}

#[test]
fn what_a_key_says_forges_no_line_of_the_log() {
    let mut yard = Yard::new();
    let target = yard.at("?notification");
    yard.own(
        "PUT",
        &target,
        &[],
        b"<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>",
    );
    let mark = format!("forged-{}", yard.scene.account.id);
    let key = format!("a%0d%0a2026-01-01T00:00:00Z%20%20INFO%20{mark}%1b%5B2J%C2%9B31m%E2%80%AE");
    let target = yard.at(&key);
    yard.own("PUT", &target, &[], b"x");
    let root = yard.root();
    let agent = yard.call(Some(&root), "GET", &yard.at(&format!("{key}-missing")), &[("user-agent", &mark)], b"");
    assert_eq!(outcome(&agent), (404, "NoSuchKey".to_owned()));
    let told = tests::program::until(tests::program::LIMIT, || {
        let log = yard.scene.server.log();
        log.contains(&mark).then_some(log)
    });
    let log = told.expect("an event is told in the log");
    for line in log.lines().filter(|line| line.contains(&mark)) {
        assert!(!line.starts_with("2026-01-01"), "{line:?}");
        assert!(!line.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\r']), "{line:?}");
    }
}

#[test]
fn many_ranges_are_no_more_than_one_answer() {
    let mut yard = Yard::new();
    let content = vec![b'x'; 300_000];
    yard.put("ranged", &content);
    let (root, target) = (yard.root(), yard.at("ranged"));
    let many = format!("bytes={}", (0..1500).map(|at| format!("{at}-")).collect::<Vec<_>>().join(","));
    let nested = "bytes=0-,0-,0-,0-,0-,0-,0-,0-";
    for range in [
        many.as_str(),
        nested,
        "bytes=-18446744073709551616",
        "bytes=18446744073709551615-",
        "bytes=5-1",
        "items=0-1",
        "bytes=a-b",
        "bytes=-0",
    ] {
        let answer = yard.call(Some(&root), "GET", &target, &[("range", range)], b"");
        assert!([200, 206, 416].contains(&answer.status), "{range}: {}", answer.status);
        assert!(answer.body.len() <= content.len(), "{range}: {} bytes", answer.body.len());
    }
}
