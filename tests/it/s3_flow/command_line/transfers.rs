//! Streams, checksums of every kind, both ways in which the CLI moves bytes, and hosts that name buckets.

use std::fs;

use serde_json::{Value, json};
use tests::Server;
use tests::program::{self, Answer};

use super::{MIB, Shop, lines, tree};
use crate::s3_flow::by_hand::content;

/// What the CLI computes.
const ALGORITHMS: [&str; 6] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512"];

#[test]
fn streams_go_in_and_out_without_files() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    for (name, size) in [("little", 10), ("much", 17 * MIB + 3)] {
        let data = content(1, size);
        let file = shop.write(name, &data);
        let mut cat = std::process::Command::new("cat");
        let up = program::piped(cat.arg(&file), &mut shop.command(&["cp", "-", &shop.uri(name)]));
        up.success();
        let mut out = shop.command(&["cp", &shop.uri(name), "-"]);
        let mut into = std::process::Command::new("cmp");
        program::piped(&mut out, into.arg("-").arg(&file)).success();
        // Out of one and into another, while both go on.
        let again =
            program::piped(&mut out, &mut shop.command(&["cp", "-", &shop.uri("again"), "--expected-size", "99"]));
        again.success();
        shop.s3(&["cp", &shop.uri("again"), &shop.path("again")]);
        assert!(fs::read(shop.folder.file("again")).unwrap() == data);
    }
}

#[test]
fn checksums_of_every_kind_are_verified_and_kept() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    shop.write("there/little", &content(2, 1000));
    shop.write("there/large", &content(3, 9 * MIB));
    let there = shop.path("there");
    for algorithm in ALGORITHMS {
        shop.s3(&["cp", "--recursive", &there, &shop.uri(algorithm), "--checksum-algorithm", algorithm]);
    }
    shop.s3(&["cp", "--recursive", &shop.uri(""), &shop.path("back"), "--checksum-mode", "ENABLED"]);
    for algorithm in ALGORITHMS {
        assert_eq!(tree(shop.folder.file("back").join(algorithm)), tree(&there), "{algorithm}");
    }
    let query = "Contents[].[Key, ChecksumAlgorithm[0], contains(ETag, '-2')]";
    let listed = shop.aws.call(&["s3api", "list-objects-v2", "--bucket", &shop.bucket, "--query", query]);
    let mut expected: Vec<Value> = ALGORITHMS
        .iter()
        .flat_map(|algorithm| {
            [("large", true), ("little", false)].map(|(name, is_in_parts)| (algorithm, name, is_in_parts))
        })
        .map(|(algorithm, name, is_in_parts)| json!([format!("{algorithm}/{name}"), algorithm, is_in_parts]))
        .collect();
    expected.sort_by_key(|one| one[0].to_string());
    assert_eq!(listed, json!(expected));
}

/// Copies files of two sizes there and back with a configuration of the CLI, by way of a proxy if hosts need one.
fn goes_there_and_back(shop: &Shop, configuration: &str, endpoint: Option<&str>, proxy: Option<&str>) {
    let file = shop.folder.write("configuration", &format!("[default]\n{configuration}"));
    let s3 = |arguments: &[&str]| -> Answer {
        let mut command = shop.command(arguments);
        command.env("AWS_CONFIG_FILE", &file);
        for (name, value) in [("AWS_ENDPOINT_URL", endpoint), ("HTTP_PROXY", proxy)] {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        program::run(&mut command)
    };
    let (there, back) = (shop.path("there"), shop.path("back"));
    assert_eq!(lines(s3(&["cp", "--recursive", &there, &shop.uri("to")])).len(), 2);
    s3(&["cp", "--recursive", &shop.uri("to"), &back]).success();
    assert_eq!(tree(&back), tree(&there), "{configuration} {endpoint:?}");
    assert_eq!(lines(s3(&["rm", "--recursive", &shop.uri("to")])).len(), 2);
    fs::remove_dir_all(back).unwrap();
}

fn with_files(server: &Server) -> Shop {
    let shop = Shop::open(server);
    shop.write("there/little é+%.txt", &content(4, 1000));
    shop.write("there/large é+%.bin", &content(5, 9 * MIB));
    shop
}

#[test]
fn both_ways_in_which_the_command_line_moves_bytes_work() {
    let server = Server::shared();
    let shop = with_files(&server);
    for way in ["classic", "crt"] {
        goes_there_and_back(&shop, &format!("s3 =\n  preferred_transfer_client = {way}\n"), None, None);
        let required = format!(
            "request_checksum_calculation = when_required\nresponse_checksum_validation = when_required\n\
             s3 =\n  preferred_transfer_client = {way}\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n"
        );
        goes_there_and_back(&shop, &required, None, None);
    }
}

#[test]
fn hosts_that_name_buckets_are_served_as_paths_are() {
    let server = Server::shared();
    let shop = with_files(&server);
    // These names lead nowhere on a plain machine: the server itself stands between, and is told of them in full.
    let proxy = server.endpoint();
    let port = server.address().port();
    for (way, host) in [("classic", "localhost"), ("classic", "s3.localhost"), ("crt", "s3.us-east-1.localhost")] {
        let configuration = format!("s3 =\n  addressing_style = virtual\n  preferred_transfer_client = {way}\n");
        goes_there_and_back(&shop, &configuration, Some(&format!("http://{host}:{port}")), Some(proxy));
    }
}

#[test]
fn a_copy_of_a_large_object_is_made_of_parts_and_keeps_what_is_said_of_it() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let file = shop.write("large", &content(6, 9 * MIB)).display().to_string();
    shop.s3(&["cp", &file, &shop.uri("one"), "--content-type", "a/b", "--metadata", "k=v"]);
    let tags = r#"{"TagSet":[{"Key":"team","Value":"a b"}]}"#;
    let one = ["--bucket", &shop.bucket, "--key", "one"];
    shop.aws.call(&[&["s3api", "put-object-tagging"], &one[..], &["--tagging", tags]].concat());
    shop.s3(&["cp", &shop.uri("one"), &shop.uri("two"), "--copy-props", "default"]);
    let two = ["--bucket", &shop.bucket, "--key", "two"];
    let told = shop.aws.call(&[&["s3api", "head-object"], &two[..]].concat());
    assert_eq!((&told["ContentType"], &told["Metadata"]["k"]), (&"a/b".into(), &"v".into()));
    assert!(told["ETag"].as_str().unwrap().ends_with("-2\""), "{told}");
    let tags: Value = serde_json::from_str(tags).unwrap();
    assert_eq!(shop.aws.call(&[&["s3api", "get-object-tagging"], &two[..]].concat()), tags);
    shop.s3(&["cp", &shop.uri("two"), &shop.path("back")]);
    assert!(fs::read(shop.folder.file("back")).unwrap() == content(6, 9 * MIB));
}
