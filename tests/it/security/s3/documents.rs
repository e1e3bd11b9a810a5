//! Documents of XML that no client would send: refused as what they are, at once, and in little memory.

use std::time::{Duration, Instant};

use tests::raw::Connection;
use tests::{Options, Server};

use super::yard::{SECRET, Yard, outcome, signed};
use crate::security::target::Scene;

/// Longer than any refusal may take, however slow the machine is: reading a bomb takes hours.
const AT_ONCE: Duration = Duration::from_secs(20);

/// Every document that a bucket or an object takes.
const PLACES: [(&str, &str, &str); 14] = [
    ("PUT", "?tagging", "Tagging"),
    ("PUT", "?acl", "AccessControlPolicy"),
    ("PUT", "?cors", "CORSConfiguration"),
    ("PUT", "?lifecycle", "LifecycleConfiguration"),
    ("PUT", "?notification", "NotificationConfiguration"),
    ("PUT", "?ownershipControls", "OwnershipControls"),
    ("PUT", "?publicAccessBlock", "PublicAccessBlockConfiguration"),
    ("PUT", "?versioning", "VersioningConfiguration"),
    ("PUT", "?website", "WebsiteConfiguration"),
    ("POST", "?delete", "Delete"),
    ("PUT", "", "CreateBucketConfiguration"),
    ("PUT", "secret/diary?tagging", "Tagging"),
    ("PUT", "secret/diary?acl", "AccessControlPolicy"),
    ("POST", "secret/diary?uploadId=x", "CompleteMultipartUpload"),
];

fn bombs(root: &str) -> Vec<(&'static str, Vec<u8>)> {
    let entities: String =
        (1..10).map(|level| format!("<!ENTITY e{level} \"{}\">", format!("&e{};", level - 1).repeat(10))).collect();
    let deep = 30_000;
    vec![
        (
            "a billion laughs",
            format!("<?xml version=\"1.0\"?><!DOCTYPE {root} [<!ENTITY e0 \"ha\">{entities}]><{root}>&e9;</{root}>")
                .into_bytes(),
        ),
        (
            "a file",
            format!("<!DOCTYPE {root} [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><{root}><ID>&x;</ID></{root}>")
                .into_bytes(),
        ),
        ("an address", format!("<!DOCTYPE {root} SYSTEM \"http://127.0.0.1:1/x.dtd\"><{root}/>").into_bytes()),
        (
            "a parameter entity",
            format!("<!DOCTYPE {root} [<!ENTITY % p SYSTEM \"file:///etc/passwd\">%p;]><{root}/>").into_bytes(),
        ),
        ("an unknown entity", format!("<{root}><ID>&nobody;</ID></{root}>").into_bytes()),
        ("depth", format!("<{root}>{}{}</{root}>", "<a>".repeat(deep / 2), "</a>".repeat(deep / 2)).into_bytes()),
        ("depth without end", format!("<{root}>{}", "<a>".repeat(deep)).into_bytes()),
        (
            "attributes",
            format!("<{root} {}></{root}>", (0..10_000).map(|n| format!("a{n}=\"\" ")).collect::<String>())
                .into_bytes(),
        ),
        ("one attribute twice", format!("<{root} a=\"1\" a=\"2\"><x/></{root}").into_bytes()),
        ("a long name", format!("<{}>", "n".repeat(100_000)).into_bytes()),
        ("no end", format!("<{root}>").into_bytes()),
        ("two roots", format!("<{root}></{root}><{root}></{root}>").into_bytes()),
        ("crossed", format!("<{root}><a><b></a></b></{root}>").into_bytes()),
        ("no text", [format!("<{root}>").as_bytes(), &[0xff, 0xfe, 0x00], format!("</{root}>").as_bytes()].concat()),
        ("UTF-16", format!("<{root}/>").encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("another root", b"<Nobody></Nobody>".to_vec()),
        ("JSON", b"{}".to_vec()),
        ("nothing but blanks", b"   ".to_vec()),
        ("a null", format!("<{root}>\0</{root}>").into_bytes()),
        ("a forbidden reference", format!("<{root}><ID>&#0;&#x1F;&#xFFFFFFFF;&#xD800;</ID></{root}>").into_bytes()),
        ("a program", format!("<?php exit(); ?><{root}><?x y?></{root}").into_bytes()),
    ]
}

#[test]
fn a_document_that_is_a_trap_is_refused_at_once() {
    let mut yard = Yard::new();
    let root = yard.root();
    for (method, place, name) in PLACES {
        let target = match place {
            "" => format!("/new-{}", yard.scene.account.id),
            place => yard.at(place),
        };
        for (how, document) in bombs(name) {
            let begun = Instant::now();
            let answer = yard.call(Some(&root), method, &target, &[], &document);
            let (status, code) = outcome(&answer);
            assert!((400..414).contains(&status) && !code.is_empty(), "{how} at {place}: {status} {}", answer.text());
            assert!(!answer.text().contains("root:"), "{how} at {place}: {}", answer.text());
            assert!(begun.elapsed() < AT_ONCE, "{how} at {place} took {:?}", begun.elapsed());
        }
    }
    assert!(yard.content(SECRET).is_some());
}

#[test]
fn documents_that_hold_too_much_are_bounded_in_what_they_cost() {
    let server = Server::start(Options::default());
    let account = server.account();
    let mut connection = Connection::to(server.address());
    let host = server.address().to_string();
    let mut send = |method: &str, target: &str, body: &[u8]| {
        let mut request = tests::raw::Request::get(&host, target);
        request.method = method.to_owned();
        request.body = body.to_vec();
        connection.send(&signed(request, &account.root))
    };
    assert_eq!(send("PUT", "/bounded", b"").status, 200);
    let before = server.memory_peak();
    let keys = "<Object><Key>k</Key></Object>".repeat(30_000);
    let tags = "<Tag><Key>k</Key><Value>v</Value></Tag>".repeat(20_000);
    let empty = "<Tag/>".repeat(150_000);
    let parts = "<Part><PartNumber>1</PartNumber><ETag>\"0\"</ETag></Part>".repeat(18_000);
    for (method, target, body) in [
        ("POST", "/bounded?delete", format!("<Delete>{keys}</Delete>")),
        ("PUT", "/bounded?tagging", format!("<Tagging><TagSet>{tags}</TagSet></Tagging>")),
        ("PUT", "/bounded?tagging", format!("<Tagging><TagSet>{empty}</TagSet></Tagging>")),
        ("POST", "/bounded/k?uploadId=x", format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")),
        ("PUT", "/bounded?cors", format!("<CORSConfiguration>{}</CORSConfiguration>", "<CORSRule/>".repeat(80_000))),
    ] {
        for _ in 0..3 {
            let answer = send(method, target, body.as_bytes());
            let (status, code) = outcome(&answer);
            assert!((400..414).contains(&status) && !code.is_empty(), "{target}: {status} {}", answer.text());
        }
    }
    let grown = server.memory_peak().saturating_sub(before);
    assert!(grown < 96 << 20, "documents of a megabyte have cost {grown} bytes");
}

#[test]
fn a_body_that_is_announced_as_too_large_is_not_waited_for() {
    let mut yard = Yard::of(Scene::new());
    let root = yard.root();
    for (method, place, code) in [
        ("PUT", "?tagging", None),
        ("POST", "?delete", None),
        ("PUT", "?policy", None),
        ("PUT", "huge", Some("EntityTooLarge")),
        ("PUT", "secret/diary?partNumber=1&uploadId=x", None),
    ] {
        for length in ["5497558138881", "999999999999999"] {
            let target = yard.at(place);
            let request = signed(yard.request(method, &target, &[], b""), &root);
            let mut head = request;
            head.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
            head.remove("authorization");
            let body = wire::sigv4::SignableBody::Unsigned;
            let head = super::yard::signed_as(head, &root, body, super::yard::HERE, crate::security::target::now());
            let answer = yard.scene.connection.send_bytes(&head.head(&[("content-length", length)]));
            let (status, told) = outcome(&answer);
            assert!((400..414).contains(&status), "{place}: {status} {}", answer.text());
            assert!(code.is_none_or(|code| code == told), "{place}: {told}");
        }
    }
}
