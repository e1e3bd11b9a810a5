//! Lists of grants, ownership, and the public: what is let in is what was meant, and what is kept out stays out.

use serde_json::json;
use wire::sigv4::Credentials;

use super::yard::{PRIVATE, SECRET, Yard, allow_all, is_denied, is_refused, outcome};

const EVERYBODY: &str = "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"";

/// The id of an account as lists of grants name it, as the account itself is told.
fn canonical(yard: &mut Yard, by: &Credentials) -> String {
    let answer = yard.call(Some(by), "GET", "/", &[], b"").success();
    answer.element("ID").expect("a list of buckets has an owner")
}

/// A method, a target and headers.
type Route = (&'static str, String, Vec<(&'static str, String)>);

/// Ways by which anybody may try to get at an object.
fn routes(yard: &Yard, key: &str) -> Vec<Route> {
    let host = format!("{}.s3.localhost", yard.bucket);
    let website = format!("{}.s3-website.localhost", yard.bucket);
    vec![
        ("GET", yard.at(key), vec![]),
        ("HEAD", yard.at(key), vec![]),
        ("GET", yard.at(key), vec![("range", "bytes=0-3".to_owned())]),
        ("GET", yard.at(&format!("{key}?partNumber=1")), vec![]),
        ("GET", yard.at(&format!("{key}?versionId=null")), vec![]),
        ("GET", yard.at(&format!("{key}?acl")), vec![]),
        ("GET", yard.at(&format!("{key}?tagging")), vec![]),
        ("GET", yard.at(&format!("{key}?attributes")), vec![("x-amz-object-attributes", "ETag".to_owned())]),
        ("GET", format!("/{key}"), vec![("host", host)]),
        ("GET", format!("/{key}"), vec![("host", website)]),
        ("GET", yard.at(""), vec![]),
        ("GET", yard.at("?list-type=2"), vec![]),
        ("GET", yard.at("?versions"), vec![]),
    ]
}

#[track_caller]
fn is_closed_to_anybody(yard: &mut Yard, key: &str, how: &str) {
    for (method, target, headers) in routes(yard, key) {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = yard.call(None, method, &target, &headers, b"");
        let text = answer.text();
        assert!(!text.contains(PRIVATE) && answer.status >= 400, "{how}: {method} {target} {headers:?}: {text}");
    }
}

fn website(yard: &mut Yard) {
    let target = yard.at("?website");
    let document =
        b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>";
    yard.own("PUT", &target, &[], document);
}

#[test]
fn a_new_bucket_lets_nobody_in_and_cannot_be_opened_by_accident() {
    let mut yard = Yard::new();
    website(&mut yard);
    is_closed_to_anybody(&mut yard, SECRET, "as it was made");
    let policy = yard.policy_text(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
    let (root, target) = (yard.root(), yard.at("?policy"));
    is_denied(&yard.call(Some(&root), "PUT", &target, &[], policy.as_bytes()), "a public policy");
    for (name, value) in
        [("x-amz-acl", "public-read"), ("x-amz-grant-read", EVERYBODY), ("x-amz-acl", "authenticated-read")]
    {
        let target = yard.at("open");
        let answer = yard.call(Some(&root), "PUT", &target, &[(name, value)], PRIVATE.as_bytes());
        is_refused(&answer, 400, "AccessControlListNotSupported", value);
        for target in [yard.at(&format!("{SECRET}?acl")), yard.at("?acl")] {
            let answer = yard.call(Some(&root), "PUT", &target, &[(name, value)], b"");
            is_refused(&answer, 400, "AccessControlListNotSupported", value);
        }
    }
    yard.with_acls("BucketOwnerPreferred");
    for (name, value) in [
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", EVERYBODY),
        ("x-amz-acl", "public-read-write"),
        ("x-amz-acl", "authenticated-read"),
    ] {
        for target in [yard.at("open"), yard.at(&format!("{SECRET}?acl")), yard.at("?acl")] {
            let answer = yard.call(Some(&root), "PUT", &target, &[(name, value)], b"");
            is_denied(&answer, &format!("{target} {value}"));
        }
    }
    is_closed_to_anybody(&mut yard, SECRET, "afterwards");
}

#[test]
fn a_policy_is_public_however_it_says_so() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at("?policy"));
    let base = |principal: serde_json::Value| json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "BUCKET/*", "Principal": principal });
    let with = |condition: serde_json::Value| {
        let mut statement = base(json!("*"));
        statement["Condition"] = condition;
        statement
    };
    for statement in [
        base(json!("*")),
        base(json!({ "AWS": "*" })),
        base(json!({ "AWS": ["*"] })),
        base(json!({ "AWS": ["arn:aws:iam::000000000000:root", "*"] })),
        with(json!({ "IpAddress": { "aws:SourceIp": "0.0.0.0/0" } })),
        with(json!({ "IpAddress": { "aws:SourceIp": ["203.0.113.0/24", "0.0.0.0/1"] } })),
        with(json!({ "StringLike": { "aws:PrincipalArn": "*" } })),
        with(json!({ "StringLike": { "aws:PrincipalAccount": "1*" } })),
        with(json!({ "StringNotEquals": { "aws:PrincipalAccount": "000000000000" } })),
        with(json!({ "StringEqualsIfExists": { "aws:PrincipalAccount": "000000000000" } })),
        with(json!({ "StringLike": { "aws:UserAgent": "known" } })),
        with(json!({ "StringLike": { "aws:Referer": "https://a.example/*" } })),
        with(json!({ "Bool": { "aws:SecureTransport": "false" } })),
        with(json!({ "ForAllValues:StringEquals": { "aws:PrincipalAccount": "000000000000" } })),
        json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "BUCKET/*", "NotPrincipal": { "AWS": "arn:aws:iam::000000000000:root" } }),
    ] {
        let text = yard.policy_text(std::slice::from_ref(&statement));
        let answer = yard.call(Some(&root), "PUT", &target, &[], text.as_bytes());
        let (status, code) = outcome(&answer);
        // Some of it cannot be said in a policy that allows; then it is not taken at all.
        assert!((status, code.as_str()) == (403, "AccessDenied") || status == 400, "{statement}: {status} {code}");
    }
    is_closed_to_anybody(&mut yard, SECRET, "afterwards");
}

#[test]
fn what_was_open_is_closed_by_the_public_access_block_from_the_next_request_on() {
    let mut yard = Yard::new();
    website(&mut yard);
    yard.unblock();
    yard.with_acls("ObjectWriter");
    let (open, block) = (yard.at("open"), yard.at("?publicAccessBlock"));
    let set = |which: &str| {
        format!("<PublicAccessBlockConfiguration><{which}>true</{which}></PublicAccessBlockConfiguration>").into_bytes()
    };
    // By a list of grants …
    yard.own("PUT", &open, &[("x-amz-acl", "public-read")], PRIVATE.as_bytes());
    assert_eq!(yard.call(None, "GET", &open, &[], b"").success().text(), PRIVATE);
    yard.own("PUT", &block, &[], &set("IgnorePublicAcls"));
    is_closed_to_anybody(&mut yard, "open", "lists of grants that are ignored");
    yard.own("PUT", &block, &[], &set("BlockPublicAcls"));
    assert_eq!(yard.call(None, "GET", &open, &[], b"").success().text(), PRIVATE, "what was granted before stays");
    // … a policy …
    yard.own("DELETE", &block, &[], b"");
    yard.own("PUT", &open, &[], PRIVATE.as_bytes());
    yard.policy(&[allow_all(&["s3:*"], &["BUCKET", "BUCKET/*"])]);
    assert_eq!(yard.call(None, "GET", &open, &[], b"").success().text(), PRIVATE);
    yard.own("PUT", &block, &[], &set("RestrictPublicBuckets"));
    is_closed_to_anybody(&mut yard, "open", "a policy that is restricted");
    let stranger = yard.stranger().root;
    is_denied(&yard.call(Some(&stranger), "GET", &open, &[], b""), "another account by a restricted policy");
    is_denied(&yard.call(Some(&stranger), "PUT", &open, &[], b"x"), "another account's write");
    let copy = format!("{}/open", yard.bucket);
    let theirs = format!("/loot-{}", yard.scene.account.id);
    yard.call(Some(&stranger), "PUT", &theirs, &[], b"").success();
    let answer = yard.call(Some(&stranger), "PUT", &format!("{theirs}/x"), &[("x-amz-copy-source", &copy)], b"");
    is_denied(&answer, "a copy by a restricted policy");
    assert_eq!(yard.content("open").as_deref(), Some(PRIVATE.as_bytes()), "its owner still reads it");
    // … and no longer when lists of grants do not count.
    let policy = yard.at("?policy");
    yard.own("DELETE", &policy, &[], b"");
    yard.own("DELETE", &block, &[], b"");
    yard.own("PUT", &open, &[("x-amz-acl", "public-read")], PRIVATE.as_bytes());
    yard.call(None, "GET", &open, &[], b"").success();
    yard.with_acls("BucketOwnerEnforced");
    is_closed_to_anybody(&mut yard, "open", "lists of grants that do not count");
}

#[test]
fn a_grant_opens_what_it_says_and_nothing_beside_it() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    let friend = yard.stranger();
    let id = canonical(&mut yard, &friend.root);
    let target = yard.at("shared");
    yard.own("PUT", &target, &[("x-amz-grant-read", &format!("id=\"{id}\""))], b"shared");
    yard.call(Some(&friend.root), "GET", &target, &[], b"").success();
    for (method, target) in [
        ("PUT", yard.at("shared")),
        ("DELETE", yard.at("shared")),
        ("GET", yard.at("shared?acl")),
        ("PUT", yard.at("shared?acl")),
        ("GET", yard.at("shared?tagging")),
        ("GET", yard.at(SECRET)),
        ("GET", yard.at("shared/more")),
        ("GET", yard.at("")),
        ("POST", yard.at("shared?uploads")),
    ] {
        let answer = yard.call(Some(&friend.root), method, &target, &[("x-amz-acl", "private")], b"");
        is_denied(&answer, &format!("{method} {target}"));
    }
    // The friend's users need the friend's leave; strangers have none.
    is_denied(&yard.call(Some(&friend.user), "GET", &target, &[], b""), "a user of the friend's");
    let other = yard.stranger().root;
    is_denied(&yard.call(Some(&other), "GET", &target, &[], b""), "another account");
    is_denied(&yard.call(None, "GET", &target, &[], b""), "nobody");
    // What was granted to what lay there is not granted to what comes after it.
    yard.put("shared", PRIVATE.as_bytes());
    is_denied(&yard.call(Some(&friend.root), "GET", &target, &[], b""), "a grant of what was written over");
}

#[test]
fn whoever_has_an_account_is_not_anybody_and_a_grant_needs_a_grantee() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    yard.unblock();
    let target = yard.at("members");
    yard.own("PUT", &target, &[("x-amz-acl", "authenticated-read")], b"members");
    is_denied(&yard.call(None, "GET", &target, &[], b""), "nobody");
    let member = yard.stranger().root;
    yard.call(Some(&member), "GET", &target, &[], b"").success();
    let root = yard.root();
    for grantee in [
        "id=\"\"",
        "id=\"0\"",
        &format!("id=\"{}\"", "0".repeat(64)),
        "uri=\"http://acs.amazonaws.com/groups/global/Everybody\"",
        "uri=\"http://evil.example/AllUsers\"",
        "emailAddress=\"a@b.example\"",
        "AllUsers",
        "",
    ] {
        let answer = yard.call(Some(&root), "PUT", &target, &[("x-amz-grant-read", grantee)], b"x");
        let (status, code) = outcome(&answer);
        assert!([400, 501].contains(&status) && !code.is_empty(), "{grantee}: {status} {}", answer.text());
    }
}

#[test]
fn nobody_makes_themselves_the_owner() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    let stranger = yard.stranger().root;
    let root = yard.root();
    let (owner, thief) = (canonical(&mut yard, &root), canonical(&mut yard, &stranger));
    let document = |owner: &str, grantee: &str| {
        format!(
            "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList><Grant><Grantee \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>{grantee}</ID>\
             </Grantee><Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>"
        )
    };
    let root = yard.root();
    for target in [yard.at("?acl"), yard.at(&format!("{SECRET}?acl"))] {
        let forged = document(&thief, &thief);
        is_denied(&yard.call(Some(&stranger), "PUT", &target, &[], forged.as_bytes()), "a stranger");
        is_denied(&yard.call(None, "PUT", &target, &[], forged.as_bytes()), "nobody");
        is_denied(&yard.call(Some(&root), "PUT", &target, &[], forged.as_bytes()), "another owner in the list");
        let given = document(&owner, &thief);
        yard.own("PUT", &target, &[], given.as_bytes());
        // Who was given everything by a list may not take away its owner either.
        let taken = document(&thief, &thief);
        is_denied(&yard.call(Some(&stranger), "PUT", &target, &[], taken.as_bytes()), "a grantee");
    }
    // A bucket's list gives no right on what is the bucket's itself.
    for (method, query, body) in [
        ("PUT", "?policy", "{}"),
        ("DELETE", "?policy", ""),
        ("GET", "?policy", ""),
        ("DELETE", "", ""),
        ("PUT", "?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
        ("PUT", "?publicAccessBlock", "<PublicAccessBlockConfiguration/>"),
        ("DELETE", "?ownershipControls", ""),
    ] {
        let target = yard.at(query);
        is_denied(&yard.call(Some(&stranger), method, &target, &[], body.as_bytes()), &format!("{method} {query}"));
    }
    let acl = yard.own("GET", &yard.at("?acl"), &[], b"").text();
    assert!(acl.contains(&format!("<Owner><ID>{owner}</ID>")), "{acl}");
}

#[test]
fn an_object_of_another_account_is_that_account_s_until_lists_no_longer_count() {
    let mut yard = Yard::new();
    yard.with_acls("ObjectWriter");
    let guest = yard.stranger();
    let arn = format!("arn:aws:iam::{}:root", guest.id);
    yard.policy(&[json!({
        "Effect": "Allow", "Principal": { "AWS": arn }, "Action": ["s3:PutObject", "s3:PutObjectAcl"], "Resource": "BUCKET/*",
    })]);
    let target = yard.at("guest");
    yard.call(Some(&guest.root), "PUT", &target, &[], b"the guest's").success();
    let root = yard.root();
    is_denied(&yard.call(Some(&root), "GET", &target, &[], b""), "the bucket's owner reads a guest's object");
    is_denied(
        &yard.call(Some(&root), "PUT", &yard.at("guest?acl"), &[("x-amz-acl", "private")], b""),
        "and changes its list",
    );
    // Its writer may hand it over.
    yard.call(Some(&guest.root), "PUT", &target, &[("x-amz-acl", "bucket-owner-full-control")], b"handed over")
        .success();
    assert_eq!(yard.content("guest").as_deref(), Some(&b"handed over"[..]));
    yard.call(Some(&guest.root), "PUT", &target, &[], b"kept").success();
    is_denied(&yard.call(Some(&root), "GET", &target, &[], b""), "what is not handed over");
    yard.with_acls("BucketOwnerEnforced");
    assert_eq!(yard.content("guest").as_deref(), Some(&b"kept"[..]));
    is_denied(&yard.call(Some(&guest.root), "GET", &target, &[], b""), "the guest, when lists do not count");
    // The bucket's owner can always take away what lies there.
    yard.with_acls("ObjectWriter");
    yard.own("DELETE", &target, &[], b"");
}

#[test]
fn whose_bucket_is_expected_is_looked_at_before_anything_is_done() {
    let mut yard = Yard::new();
    let (root, stranger) = (yard.root(), yard.stranger());
    for (method, target) in [
        ("GET", yard.at(SECRET)),
        ("PUT", yard.at("new")),
        ("DELETE", yard.at(SECRET)),
        ("GET", yard.at("")),
        ("POST", yard.at("new?uploads")),
        ("DELETE", yard.at("?policy")),
        ("DELETE", yard.at("")),
    ] {
        let headers = [("x-amz-expected-bucket-owner", stranger.id.as_str())];
        is_denied(&yard.call(Some(&root), method, &target, &headers, b""), &format!("{method} {target}"));
    }
    let source = format!("{}/{SECRET}", yard.bucket);
    let headers =
        [("x-amz-copy-source", source.as_str()), ("x-amz-source-expected-bucket-owner", stranger.id.as_str())];
    let target = yard.at("copy");
    is_denied(&yard.call(Some(&root), "PUT", &target, &headers, b""), "a copy from somebody else's");
    assert_eq!((yard.content("new"), yard.content("copy")), (None, None));
    assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
}

#[test]
fn a_bucket_that_is_made_anew_shares_nothing_with_its_forerunner() {
    let mut yard = Yard::new();
    yard.with_versions();
    let root = yard.root();
    let version = yard.put("page", PRIVATE.as_bytes()).header("x-amz-version-id").unwrap().to_owned();
    let upload = yard.begin_upload(&root, "whole");
    yard.policy(&[json!({ "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{}:root", yard.scene.account.id) }, "Action": "s3:*", "Resource": ["BUCKET", "BUCKET/*"] })]);
    let secret = yard.own("GET", &yard.at("?versions"), &[], b"").text();
    let ids: Vec<&str> = secret.split("<VersionId>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    let keys: Vec<&str> = secret.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next()).collect();
    for (key, id) in keys.iter().zip(&ids) {
        let target = yard.at(&format!("{key}?versionId={id}"));
        yard.own("DELETE", &target, &[], b"");
    }
    let abort = yard.at(&format!("whole?uploadId={upload}"));
    yard.own("DELETE", &abort, &[], b"");
    let bucket = format!("/{}", yard.bucket);
    yard.own("DELETE", &bucket, &[], b"");
    let next = yard.stranger().root;
    yard.call(Some(&next), "PUT", &bucket, &[], b"").success();
    for target in [yard.at(&format!("page?versionId={version}")), yard.at("page"), abort, yard.at("?policy")] {
        let answer = yard.call(Some(&next), "GET", &target, &[], b"");
        assert!([400, 404].contains(&answer.status), "{target}: {} {}", answer.status, answer.text());
    }
    let versions = yard.at("?versions");
    let listed = yard.call(Some(&next), "GET", &versions, &[], b"").success().text();
    assert!(!listed.contains("<Key>"), "{listed}");
    is_denied(&yard.call(Some(&root), "GET", &yard.at(""), &[], b""), "the owner of the forerunner");
}
