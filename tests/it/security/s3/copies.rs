//! Ways around a permission: copies, parts, deletions in bulk, tags and lists of grants that come along, old versions.

use serde_json::json;
use wire::sigv4::Credentials;

use super::yard::{PRIVATE, SECRET, Yard, allow, allow_all, is_denied, is_refused, outcome};

/// Who may write everywhere and read what is public.
fn writer(yard: &mut Yard) -> Credentials {
    yard.put("public/poster", b"for everyone");
    yard.worker(
        "writer",
        &[allow(&["s3:PutObject"], &["BUCKET/*"]), allow(&["s3:GetObject"], &["BUCKET/public/*", "BUCKET/mine"])],
    )
}

/// Ways of writing the source that must not be read.
fn sources(yard: &Yard) -> Vec<String> {
    let bucket = &yard.bucket;
    vec![
        format!("{bucket}/{SECRET}"),
        format!("/{bucket}/{SECRET}"),
        format!("{bucket}/secret%2Fdiary"),
        format!("{bucket}%2Fsecret%2Fdiary"),
        format!("%2F{bucket}/{SECRET}"),
        format!("{bucket}/%73ecret/diary"),
        format!("{bucket}/{SECRET}?versionId=null"),
        format!("{bucket}/public/../{SECRET}"),
        format!("{bucket}/public/%2e%2e/{SECRET}"),
        format!("{bucket}/public/..%2F{SECRET}"),
        format!("//{bucket}/{SECRET}"),
        format!("{bucket}//{SECRET}"),
        format!("arn:aws:s3:::{bucket}/{SECRET}"),
        format!("{bucket}/{SECRET}%3FversionId=null"),
        format!("{bucket}/{SECRET}?versionId="),
        format!("{bucket}/{SECRET}?partNumber=1"),
        format!("{bucket}/{SECRET}%00"),
        format!("{bucket}/{SECRET}#public/poster"),
    ]
}

#[test]
fn nobody_copies_what_they_may_not_read() {
    let mut yard = Yard::new();
    let writer = writer(&mut yard);
    let mine = yard.at("mine");
    let upload = yard.begin_upload(&writer, "mine");
    let part = yard.at(&format!("mine?partNumber=1&uploadId={upload}"));
    for source in sources(&yard) {
        for target in [&mine, &part] {
            let answer = yard.call(Some(&writer), "PUT", target, &[("x-amz-copy-source", &source)], b"");
            let (status, code) = outcome(&answer);
            let is_refused = (status, code.as_str()) == (403, "AccessDenied") || [400, 404].contains(&status);
            assert!(is_refused, "{source} to {target}: {status} {}", answer.text());
        }
    }
    let read = yard.call(Some(&writer), "GET", &mine, &[], b"");
    assert_ne!(read.status, 200, "{}", read.text());
    // What may be read may be copied.
    let public = format!("{}/public/poster", yard.bucket);
    for target in [&mine, &part] {
        yard.call(Some(&writer), "PUT", target, &[("x-amz-copy-source", &public)], b"").success();
    }
}

#[test]
fn another_account_copies_nothing_out_of_a_bucket_and_nothing_into_it() {
    let mut yard = Yard::new();
    let stranger = yard.stranger().root;
    let theirs = format!("/stolen-{}", yard.scene.account.id);
    assert_eq!(yard.call(Some(&stranger), "PUT", &theirs, &[], b"").status, 200);
    let into_theirs = format!("{theirs}/loot");
    for source in sources(&yard) {
        let answer = yard.call(Some(&stranger), "PUT", &into_theirs, &[("x-amz-copy-source", &source)], b"");
        assert!([400, 403, 404].contains(&answer.status), "{source}: {} {}", answer.status, answer.text());
    }
    assert_eq!(yard.call(Some(&stranger), "GET", &into_theirs, &[], b"").status, 404);
    let (target, source) = (yard.at("planted"), format!("{}/own", &theirs[1..]));
    yard.call(Some(&stranger), "PUT", &format!("{theirs}/own"), &[], b"planted").success();
    let answer = yard.call(Some(&stranger), "PUT", &target, &[("x-amz-copy-source", &source)], b"");
    is_denied(&answer, "a copy into another's bucket");
    assert_eq!(yard.content("planted"), None);
}

#[test]
fn a_copy_takes_tags_along_only_for_whom_may_read_them_there_and_write_them_here() {
    let mut yard = Yard::new();
    let target = yard.at("public/tagged");
    yard.own("PUT", &target, &[("x-amz-tagging", &format!("mark={PRIVATE}"))], b"content");
    let writer = writer(&mut yard);
    let source = format!("{}/public/tagged", yard.bucket);
    let mine = yard.at("mine");
    let copy = |yard: &mut Yard, more: &[(&str, &str)]| {
        let headers: Vec<(&str, &str)> =
            [("x-amz-copy-source", source.as_str())].into_iter().chain(more.iter().copied()).collect();
        yard.call(Some(&writer), "PUT", &mine, &headers, b"")
    };
    is_denied(&copy(&mut yard, &[]), "tags that its caller may neither read nor write");
    is_denied(&copy(&mut yard, &[("x-amz-tagging-directive", "COPY")]), "the same, said");
    is_denied(
        &copy(&mut yard, &[("x-amz-tagging-directive", "REPLACE"), ("x-amz-tagging", "a=b")]),
        "tags that its caller may not write",
    );
    // Without tags it goes.
    copy(&mut yard, &[("x-amz-tagging-directive", "REPLACE")]).success();
    let rest = [allow(&["s3:PutObject"], &["BUCKET/*"]), allow(&["s3:GetObject"], &["BUCKET/public/*"])];
    for (more, how) in [("s3:GetObjectTagging", "reads them"), ("s3:PutObjectTagging", "writes them")] {
        yard.let_worker("writer", &[rest[0].clone(), rest[1].clone(), allow(&[more], &["BUCKET/*"])]);
        is_denied(&copy(&mut yard, &[]), how);
    }
    let both = allow(&["s3:GetObjectTagging", "s3:PutObjectTagging"], &["BUCKET/*"]);
    yard.let_worker("writer", &[rest[0].clone(), rest[1].clone(), both]);
    copy(&mut yard, &[]).success();
}

#[test]
fn tags_and_lists_of_grants_that_come_with_an_object_need_their_own_rights() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    let writer = writer(&mut yard);
    let everybody = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";
    for (name, value) in [
        ("x-amz-tagging", "a=b"),
        ("x-amz-acl", "private"),
        ("x-amz-acl", "public-read"),
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-grant-read", everybody),
        ("x-amz-grant-read-acp", everybody),
        ("x-amz-grant-write-acp", everybody),
        ("x-amz-grant-full-control", everybody),
    ] {
        let source = format!("{}/public/poster", yard.bucket);
        for (method, target, more) in [
            ("PUT", yard.at("mine"), None),
            ("POST", yard.at("mine?uploads"), None),
            ("PUT", yard.at("mine"), Some(("x-amz-copy-source", source.as_str()))),
        ] {
            let mut headers = vec![(name, value)];
            headers.extend(more);
            let answer = yard.call(Some(&writer), method, &target, &headers, b"");
            is_denied(&answer, &format!("{method} {target} with {name}: {value}"));
        }
    }
    for facet in ["?tagging", "?acl"] {
        let target = yard.at(&format!("public/poster{facet}"));
        let document = match facet {
            "?acl" => "<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList/></AccessControlPolicy>",
            _ => "<Tagging><TagSet/></Tagging>",
        };
        for method in ["GET", "PUT"] {
            let answer = yard.call(Some(&writer), method, &target, &[], document.as_bytes());
            is_denied(&answer, &format!("{method} {target}"));
        }
    }
}

#[test]
fn whom_the_latest_is_open_to_sees_no_version() {
    let mut yard = Yard::new();
    yard.with_versions();
    let old = yard.put("page", PRIVATE.as_bytes()).header("x-amz-version-id").unwrap().to_owned();
    let new = yard.put("page", b"latest").header("x-amz-version-id").unwrap().to_owned();
    let reader = yard.worker("reader", &[allow(&["s3:GetObject", "s3:DeleteObject", "s3:PutObject"], &["BUCKET/*"])]);
    let page = yard.at("page");
    yard.call(Some(&reader), "GET", &page, &[], b"").success();
    for id in [&old, &new, "null"] {
        let versioned = yard.at(&format!("page?versionId={id}"));
        for method in ["GET", "HEAD", "DELETE"] {
            let answer = yard.call(Some(&reader), method, &versioned, &[], b"");
            is_denied(&answer, &format!("{method} {versioned}"));
        }
        for facet in ["acl", "tagging", "attributes"] {
            let target = yard.at(&format!("page?{facet}&versionId={id}"));
            let answer = yard.call(Some(&reader), "GET", &target, &[("x-amz-object-attributes", "ETag")], b"");
            is_denied(&answer, &target);
        }
        let source = format!("{}/page?versionId={id}", yard.bucket);
        let target = yard.at("copy");
        let answer = yard.call(Some(&reader), "PUT", &target, &[("x-amz-copy-source", &source)], b"");
        is_denied(&answer, &source);
        let document = format!("<Delete><Object><Key>page</Key><VersionId>{id}</VersionId></Object></Delete>");
        let answer = delete_many(&mut yard, Some(&reader), &document);
        assert!(answer.contains("<Code>AccessDenied</Code>") && !answer.contains("<Deleted>"), "{answer}");
    }
    // Written twice, a parameter is not read once here and otherwise there.
    for query in
        [format!("versionId=&versionId={old}"), format!("versionId={old}&versionId="), format!("versionid={old}")]
    {
        let target = yard.at(&format!("page?{query}"));
        let answer = yard.call(Some(&reader), "GET", &target, &[], b"");
        assert!(!answer.text().contains(PRIVATE), "{query}: {}", answer.text());
    }
    let target = yard.at("?versions");
    is_denied(&yard.call(Some(&reader), "GET", &target, &[], b""), "versions are listed");
    assert_eq!(yard.own("GET", &yard.at(&format!("page?versionId={old}")), &[], b"").text(), PRIVATE);
}

#[track_caller]
fn delete_many(yard: &mut Yard, by: Option<&Credentials>, document: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let sum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(document));
    let target = yard.at("?delete");
    let answer = yard.call(by, "POST", &target, &[("x-amz-checksum-sha256", &sum)], document.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

#[test]
fn each_key_of_a_deletion_in_bulk_is_asked_for_by_itself() {
    let mut yard = Yard::new();
    yard.put("own/a", b"a");
    yard.put("own/../secret", b"odd");
    let keeper = yard.worker("keeper", &[allow(&["s3:DeleteObject"], &["BUCKET/own/*"])]);
    let document = format!(
        "<Delete><Object><Key>{SECRET}</Key></Object><Object><Key>own/a</Key></Object>\
         <Object><Key>own/../{SECRET}</Key></Object><Object><Key>/own/a</Key></Object><Object><Key></Key></Object>\
         <Object><Key>OWN/a</Key></Object></Delete>"
    );
    let answer = delete_many_or_error(&mut yard, &keeper, &document);
    assert!(!answer.contains(&format!("<Deleted><Key>{SECRET}</Key>")), "{answer}");
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()), "{answer}");
    let quiet = format!("<Delete><Quiet>true</Quiet><Object><Key>{SECRET}</Key></Object></Delete>");
    let answer = delete_many(&mut yard, Some(&keeper), &quiet);
    assert!(answer.contains("AccessDenied"), "quiet is no consent: {answer}");
    for by in [None, Some(yard.stranger().root)] {
        let answer = delete_many(&mut yard, by.as_ref(), &quiet);
        assert!(answer.contains("AccessDenied"), "{answer}");
    }
    // A denial of the bucket's holds for the owner, too.
    yard.policy(&[
        json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "BUCKET/secret/*" }),
    ]);
    let root = yard.root();
    let answer = delete_many(&mut yard, Some(&root), &quiet);
    assert!(answer.contains("AccessDenied"), "{answer}");
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
}

fn delete_many_or_error(yard: &mut Yard, by: &Credentials, document: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let sum = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(document));
    let target = yard.at("?delete");
    yard.call(Some(by), "POST", &target, &[("x-amz-checksum-sha256", &sum)], document.as_bytes()).text()
}

#[test]
fn nobody_has_a_hand_in_an_upload_that_they_did_not_begin() {
    let mut yard = Yard::new();
    let root = yard.root();
    let upload = yard.begin_upload(&root, "whole");
    let part = yard.at(&format!("whole?partNumber=1&uploadId={upload}"));
    let etag = yard.own("PUT", &part, &[], PRIVATE.as_bytes()).header("etag").unwrap().to_owned();
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let stranger = yard.stranger();
    let theirs = format!("/theirs-{}", yard.scene.account.id);
    yard.call(Some(&stranger.root), "PUT", &theirs, &[], b"").success();
    let ways = |path: &str| {
        [
            ("PUT", format!("{path}?partNumber=1&uploadId={upload}")),
            ("GET", format!("{path}?uploadId={upload}")),
            ("POST", format!("{path}?uploadId={upload}")),
            ("DELETE", format!("{path}?uploadId={upload}")),
        ]
    };
    let whole = yard.at("whole");
    for (method, target) in ways(&whole) {
        for by in [None, Some(&stranger.root), Some(&stranger.user)] {
            is_denied(&yard.call(by, method, &target, &[], document.as_bytes()), &format!("{method} {target}"));
        }
    }
    // The upload's id opens nothing under a name of one's own.
    for path in [format!("{theirs}/whole"), format!("{theirs}/other")] {
        for (method, target) in ways(&path) {
            let answer = yard.call(Some(&stranger.root), method, &target, &[], document.as_bytes());
            is_refused(&answer, 404, "NoSuchUpload", &format!("{method} {target}"));
        }
    }
    // Nor under another key of the same bucket.
    for (method, target) in ways(&yard.at("other")) {
        let answer = yard.call(Some(&root), method, &target, &[], document.as_bytes());
        is_refused(&answer, 404, "NoSuchUpload", &format!("{method} {target}"));
    }
    let completed = yard.own("POST", &yard.at(&format!("whole?uploadId={upload}")), &[], document.as_bytes());
    assert!(completed.text().contains("<ETag>"), "{}", completed.text());
    assert_eq!(yard.content("whole").as_deref(), Some(PRIVATE.as_bytes()));
}

#[test]
fn whom_a_bucket_lets_write_reads_nothing_and_lists_nothing() {
    let mut yard = Yard::new();
    let stranger = yard.stranger();
    let arn = format!("arn:aws:iam::{}:root", stranger.id);
    yard.policy(&[json!({
        "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "s3:PutObject", "Resource": "BUCKET/inbox/*",
    })]);
    let inbox = yard.at("inbox/letter");
    yard.call(Some(&stranger.root), "PUT", &inbox, &[], b"dear").success();
    for (method, target) in [
        ("GET", yard.at("inbox/letter")),
        ("DELETE", yard.at("inbox/letter")),
        ("GET", yard.at(SECRET)),
        ("PUT", yard.at("inboxes")),
        ("PUT", yard.at("inbox%2F..%2Fsecret%2Fdiary%00")),
        ("GET", yard.at("")),
        ("GET", yard.at("?list-type=2&prefix=inbox/")),
        ("GET", yard.at("?uploads")),
        ("PUT", yard.at("inbox/letter?acl")),
        ("PUT", yard.at("inbox/letter?tagging")),
    ] {
        let document = b"<Tagging><TagSet></TagSet></Tagging>";
        let (headers, body) = match target.rsplit_once('?') {
            Some((_, "acl")) => (&[("x-amz-acl", "private")][..], &b""[..]),
            _ => (&[][..], if target.ends_with("?tagging") { &document[..] } else { b"" }),
        };
        let answer = yard.call(Some(&stranger.root), method, &target, headers, body);
        let (status, _) = outcome(&answer);
        if target.contains("%2F..") {
            // A key that begins so is one of the inbox, whatever else it looks like.
            assert!(status == 200 || status == 403, "{target}: {}", answer.text());
            continue;
        }
        is_denied(&answer, &format!("{method} {target}"));
    }
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
    // What is in the bucket is its owner's.
    assert_eq!(yard.content("inbox/letter").as_deref(), Some(&b"dear"[..]));
    // A user of that account needs its own account's leave as well.
    is_denied(&yard.call(Some(&stranger.user), "PUT", &inbox, &[], b"dear"), "a user without rights");
}

#[test]
fn a_denial_in_the_bucket_s_policy_holds_for_everybody_and_only_its_root_takes_it_away() {
    let mut yard = Yard::new();
    yard.unblock();
    yard.policy(&[
        allow_all(&["s3:GetObject"], &["BUCKET/*"]),
        json!({ "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["BUCKET", "BUCKET/secret/*"] }),
    ]);
    let worker = yard.worker("worker", &[allow(&["s3:*"], &["*"])]);
    let (root, target) = (yard.root(), yard.at(SECRET));
    for by in [None, Some(&root), Some(&worker)] {
        is_denied(&yard.call(by, "GET", &target, &[], b""), "a denial");
    }
    let policy = yard.at("?policy");
    is_denied(&yard.call(Some(&worker), "DELETE", &policy, &[], b""), "a worker under a denial");
    // (API reference, PutBucketPolicy: the root of the owner's account is never shut out of the policy itself.)
    yard.own("GET", &policy, &[], b"");
    yard.own("DELETE", &policy, &[], b"");
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
}

#[test]
fn a_policy_that_is_replaced_or_taken_away_counts_no_more_from_the_next_request_on() {
    let mut yard = Yard::new();
    yard.unblock();
    let target = yard.at(SECRET);
    for _ in 0..5 {
        yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
        yard.call(None, "GET", &target, &[], b"").success();
        yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/public/*"])]);
        is_denied(&yard.call(None, "GET", &target, &[], b""), "a policy that was replaced");
        yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
        let policy = yard.at("?policy");
        yard.own("DELETE", &policy, &[], b"");
        is_denied(&yard.call(None, "GET", &target, &[], b""), "a policy that was deleted");
    }
}
