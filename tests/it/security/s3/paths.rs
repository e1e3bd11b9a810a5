//! Ways of writing a path: a key is a key, whatever it looks like, and one bucket's is none of another's.

use std::path::Path;

use super::yard::{PRIVATE, SECRET, Yard, allow, is_denied, outcome, signed};
use crate::security::target::whole;

#[test]
fn no_way_of_writing_a_key_leads_out_of_what_is_open() {
    let mut yard = Yard::new();
    yard.put("public/poster", b"for everyone");
    let reader = yard.worker("reader", &[allow(&["s3:GetObject"], &["BUCKET/public/*"])]);
    let bucket = yard.bucket.clone();
    for target in [
        format!("/{bucket}/public/../{SECRET}"),
        format!("/{bucket}/public/%2e%2e/{SECRET}"),
        format!("/{bucket}/public/..%2F{SECRET}"),
        format!("/{bucket}/public%2F..%2Fsecret%2Fdiary"),
        format!("/{bucket}/public/%252e%252e/{SECRET}"),
        format!("/{bucket}/public/./../{SECRET}"),
        format!("/{bucket}/./public/../{SECRET}"),
        format!("/{bucket}//{SECRET}"),
        format!("//{bucket}/{SECRET}"),
        format!("/./{bucket}/{SECRET}"),
        format!("/{bucket}/public/../../{bucket}/{SECRET}"),
        format!("/{bucket}%2F{SECRET}"),
        format!("/{bucket}/public/poster%00/../../{SECRET}"),
        format!("/{bucket}/%00{SECRET}"),
        format!("/{bucket}/{SECRET}%00"),
        format!("/{bucket}/{SECRET}%20"),
        format!("/{bucket}/{SECRET};public/"),
        format!("/{bucket}/public/\\..\\..\\{SECRET}"),
        format!("/{bucket}/secret%2fdiary"),
        format!("/{bucket}/%73ecret/diary"),
        format!("/{bucket}/public/poster?key={SECRET}"),
        format!("/{bucket}/public/poster?Key=secret/diary&Bucket={bucket}"),
    ] {
        for method in ["GET", "HEAD"] {
            let mut request = yard.request(method, "/", &[], b"");
            request.target.clone_from(&target);
            let answer = match target.parse::<http::Uri>() {
                Ok(_) => yard.scene.connection.send(&signed(request, &reader)),
                Err(_) => yard.scene.connection.send_bytes(&whole(&request)),
            };
            assert!(!answer.text().contains(PRIVATE), "{target}: {}", answer.text());
            let is_poster = answer.text() == "for everyone" || method == "HEAD";
            assert!(answer.status >= 400 || is_poster, "{target}: {} {}", answer.status, answer.text());
            assert_ne!(answer.header("content-length"), Some(&*PRIVATE.len().to_string()), "{target}");
        }
    }
}

#[test]
fn a_key_that_looks_like_a_path_is_stored_as_it_is_and_nowhere_else() {
    let mut yard = Yard::new();
    let keys = [
        ("..%2F..%2F..%2Fetc%2Fpilvi-attack", "../../../etc/pilvi-attack"),
        ("../../escape", "../../escape"),
        ("a/../b", "a/../b"),
        ("a/./b", "a/./b"),
        ("a//b", "a//b"),
        ("/leading", "/leading"),
        ("%2Fencoded", "/encoded"),
        ("trailing/", "trailing/"),
        (".", "."),
        ("..", ".."),
        ("%2e%2e", ".."),
        ("%252e", "%2e"),
        ("a%00b", "a\0b"),
        ("a%01b", "a\u{1}b"),
        ("%00", "\0"),
        ("con%5Cnul", "con\\nul"),
        ("~", "~"),
        ("%7E%2F", "~/"),
        ("a%0d%0ab", "a\r\nb"),
        ("%EF%BB%BF", "\u{feff}"),
        ("%C0%AE%C0%AE", ""),
        ("%ff%fe", ""),
        ("%zz", ""),
    ];
    let root = yard.root();
    let mut stored = Vec::new();
    for (number, (path, key)) in keys.iter().enumerate() {
        let content = format!("content of {number}");
        let target = yard.at(path);
        let answer = yard.call(Some(&root), "PUT", &target, &[], content.as_bytes());
        if key.is_empty() {
            let (status, code) = outcome(&answer);
            assert!(status == 400, "{path} is no text: {status} {code}");
            continue;
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        stored.retain(|(known, _, _): &(&str, &str, String)| known != key);
        stored.push((*key, *path, content));
    }
    for (key, path, content) in &stored {
        let read = yard.own("GET", &yard.at(path), &[], b"").text();
        assert_eq!(&read, content, "{key:?}");
    }
    let listed = yard.own("GET", &yard.at("?list-type=2&encoding-type=url"), &[], b"").text();
    assert_eq!(listed.matches("<Key>").count(), stored.len() + 1, "{listed}");
    assert!(!Path::new("/etc/pilvi-attack").exists());
    only_numbers_are_files(&yard.scene.server.data_dir().join("objects"));
}

/// Nothing of what anybody says is a name of a file.
fn only_numbers_are_files(objects: &Path) {
    for entry in std::fs::read_dir(objects).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let is_number = name.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_number || name == "tmp" || entry.path().is_file(), "{name}");
        for file in std::fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            let name = file.file_name().into_string().unwrap();
            assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()) || !is_number, "{name}");
        }
    }
}

#[test]
fn a_bucket_s_name_is_no_path_either() {
    let mut yard = Yard::new();
    let root = yard.root();
    for name in [
        "..",
        ".",
        "%2e%2e",
        "a%2Fb",
        "_pilvi",
        "A-Bucket",
        "a%00b",
        "a%0d%0ab",
        "xn--a",
        "127.0.0.1",
        "a..b",
        "%20%20%20",
        &"a".repeat(64),
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = yard.call(Some(&root), method, &format!("/{name}"), &[], b"");
            assert!((400..500).contains(&answer.status), "{method} {name}: {} {}", answer.status, answer.text());
        }
    }
    only_numbers_are_files(&yard.scene.server.data_dir().join("objects"));
}

#[test]
fn a_deletion_of_one_key_takes_no_other() {
    let mut yard = Yard::new();
    for key in ["a/b", "a//b", "a/b/", "a", "a/"] {
        yard.put(key, key.as_bytes());
    }
    let target = yard.at("a//b");
    yard.own("DELETE", &target, &[], b"");
    for (key, is_there) in [("a/b", true), ("a//b", false), ("a/b/", true), ("a", true), ("a/", true)] {
        assert_eq!(yard.content(key).is_some(), is_there, "{key}");
    }
}

#[test]
fn an_anonymous_caller_reads_no_more_by_other_words() {
    let mut yard = Yard::new();
    yard.put("public/poster", b"for everyone");
    yard.unblock();
    yard.policy(&[super::yard::allow_all(&["s3:GetObject"], &["BUCKET/public/*"])]);
    let poster = yard.at("public/poster");
    yard.call(None, "GET", &poster, &[], b"").success();
    for target in [
        yard.at(SECRET),
        yard.at("public/../secret/diary"),
        yard.at("public%2F..%2Fsecret%2Fdiary"),
        yard.at("public/poster/../../secret/diary"),
        yard.at("PUBLIC/poster"),
        yard.at("public"),
        yard.at("?prefix=public/"),
        yard.at("public/poster?acl"),
        yard.at("public/poster?versionId=null"),
    ] {
        let answer = yard.call(None, "GET", &target, &[], b"");
        assert!(answer.status >= 400 && !answer.text().contains(PRIVATE), "{target}: {}", answer.text());
    }
    // Who may not list is not told whether a key is there.
    let missing = yard.at("public/missing");
    is_denied(&yard.call(None, "GET", &missing, &[], b""), "a key that is not there");
    for header in ["x-original-url", "x-rewrite-url", "x-http-method-override", "x-amz-copy-source"] {
        let answer = yard.call(None, "GET", &poster, &[(header, &yard.at(SECRET))], b"");
        assert!(!answer.text().contains(PRIVATE), "{header}: {}", answer.text());
    }
}
