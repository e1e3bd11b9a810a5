//! Keys that look like paths, addresses, markup and nothing at all.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use tests::Server;
use tests::program;

use super::{Shop, tree};

/// Names that a file can have.
const NAMES: [&str; 22] = [
    "sp ace",
    "plus+plus",
    "per%cent%41%2F%00",
    "amp&lt;<gt>\"q'",
    "hash#q?e=m",
    "semi;colon,comma:at@",
    "ctl\u{1}\u{1f}\u{7f}",
    "new\nline",
    "tab\tand\rreturn",
    "雲/é/🚀",
    "composed\u{e9}",
    "decomposed e\u{301}",
    " lead and trail ",
    "nb\u{a0}sp",
    "~!$^*()_-=[]{}|",
    "back\\slash",
    "...",
    ".hidden/..also",
    "UPPER",
    "upper",
    "?versionId=null",
    "\u{feff}mark",
];

/// Names that only a key can have.
fn keys() -> Vec<String> {
    let fixed = ["..", "a/../../b", "./dot", "//lead//", "double//slash"];
    fixed.map(str::to_owned).into_iter().chain(["é".repeat(512)]).collect()
}

#[test]
fn files_of_odd_names_come_back_by_the_same_names() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    for name in NAMES {
        shop.write(&format!("there/{name}"), name.as_bytes());
    }
    let (there, back) = (shop.path("there"), shop.path("back"));
    shop.s3(&["sync", &there, &shop.uri("")]);
    shop.s3(&["sync", &shop.uri(""), &back]);
    let found = tree(&back);
    assert_eq!(found, tree(&there));
    assert!(NAMES.iter().all(|name| found.contains_key(OsStr::from_bytes(name.as_bytes()))));
    // The listing names them as they are, and a delimiter finds what they begin with.
    let query = ["--query", "[Contents[].Key, CommonPrefixes[].Prefix]"];
    let list = ["s3api", "list-objects-v2", "--bucket", &shop.bucket, "--delimiter", "/"];
    let listed = shop.aws.call(&[&list[..], &query].concat());
    let mut names: Vec<&str> = listed[0].as_array().unwrap().iter().filter_map(|key| key.as_str()).collect();
    names.extend(["雲/é/🚀", ".hidden/..also"]);
    names.sort_unstable();
    let mut expected = NAMES.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!(listed[1], serde_json::json!([".hidden/", "雲/"]));
    // And each of them is removed by its name.
    assert_eq!(shop.s3(&["rm", "--recursive", &shop.uri("")]).len(), NAMES.len() + 1, "one is on two lines");
    assert!(program::run(&mut shop.command(&["ls", &shop.uri("")])).success().is_empty());
}

#[test]
fn keys_that_look_like_paths_are_no_paths() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    for key in keys() {
        let file = shop.write("one", key.as_bytes()).display().to_string();
        let put = ["s3api", "put-object", "--bucket", &shop.bucket, "--key", &key, "--body", &file];
        shop.aws.call(&put);
        let into = shop.path("back");
        shop.aws.call(&["s3api", "get-object", "--bucket", &shop.bucket, "--key", &key, &into]);
        assert_eq!(fs::read_to_string(into).unwrap(), key);
    }
    let listed = shop.aws.call(&["s3api", "list-objects-v2", "--bucket", &shop.bucket, "--query", "Contents[].Key"]);
    let mut expected = keys();
    expected.sort_unstable();
    assert_eq!(listed, serde_json::json!(expected));
    let long = "k".repeat(1025);
    let refused = shop.aws.refused(&["s3api", "put-object", "--bucket", &shop.bucket, "--key", &long]);
    assert_eq!((refused.code.as_str(), refused.message.as_str()), ("KeyTooLongError", "Your key is too long"));
}
