//! What answers say: nothing that a client wrote becomes a header or markup of another's making, and pages of other origins
//! see what a bucket's rules let them see.

use super::yard::{PRIVATE, SECRET, Yard, allow_all, outcome, signed};
use crate::security::target::{now, whole};

const CRLF: &str = "x%0d%0aset-cookie:%20a=b";

#[test]
fn what_a_request_wants_answered_stays_within_its_header() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at(SECRET));
    for name in [
        "response-content-type",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-cache-control",
        "response-expires",
    ] {
        for value in [CRLF, "x%0aset-cookie:%20a=b", "x%0dset-cookie:%20a=b", "x%00y", "%E2%80%AE", "%ff"] {
            let asked = format!("{target}?{name}={value}");
            let answer = yard.call(Some(&root), "GET", &asked, &[], b"");
            assert_eq!(answer.header("set-cookie"), None, "{name}={value}: {:?}", answer.headers);
            assert!(answer.status == 200 || answer.status == 400, "{name}={value}: {}", answer.status);
        }
    }
    // Nobody chooses how anybody's browser takes what lies in a bucket. (API reference, GetObject: such requests are signed.)
    yard.unblock();
    yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
    for name in ["response-content-type=text/html", "response-content-disposition=inline", "response-cache-control=x"] {
        let asked = format!("{target}?{name}");
        let answer = yard.call(None, "GET", &asked, &[], b"");
        assert_eq!(outcome(&answer), (400, "InvalidRequest".to_owned()), "{name}");
    }
}

#[test]
fn metadata_comes_back_as_metadata_and_as_nothing_else() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at("marked"));
    // By an address, in which any byte can be written.
    for (name, value) in [
        ("x-amz-meta-a", CRLF),
        ("x-amz-meta-a%0d%0aset-cookie:%20a=b;x", "v"),
        ("x-amz-website-redirect-location", "/x%0d%0aset-cookie:%20a=b"),
        ("x-amz-meta-", "v"),
        ("x-amz-meta-%00", "v"),
        ("x-amz-storage-class", CRLF),
    ] {
        let asked = format!("{target}?{name}={value}");
        let request = super::presigned::presigned(&yard, "PUT", &asked, &root, now(), 60);
        let answer = yard.scene.connection.send(&request);
        assert_eq!(answer.header("set-cookie"), None, "{name}={value}: {:?}", answer.headers);
        for method in ["GET", "HEAD"] {
            let read = yard.call(Some(&root), method, &target, &[], b"");
            assert_eq!(read.header("set-cookie"), None, "{name}={value}: {:?}", read.headers);
        }
    }
    // By a head.
    for (name, value) in [
        ("x-amz-meta-content-length", "5"),
        ("x-amz-meta-x-amz-request-id", "forged"),
        ("x-amz-meta-set-cookie", "a=b"),
        ("content-encoding", "gzip, aws-chunked"),
        ("content-disposition", "attachment; filename=\"a\\\"b\""),
        ("expires", "never"),
        ("content-language", "=?UTF-8?B?DQpzZXQtY29va2llOiBhPWI=?="),
        ("x-amz-meta-word", "=?UTF-8?B?DQpzZXQtY29va2llOiBhPWI=?="),
    ] {
        yard.own("PUT", &target, &[(name, value)], b"content");
        let read = yard.own("GET", &target, &[], b"");
        assert_eq!((read.header("set-cookie"), read.text().as_str()), (None, "content"), "{name}: {:?}", read.headers);
        assert_ne!(read.header("x-amz-request-id"), Some("forged"));
    }
    for (name, length) in [("x-amz-meta-long", 2049), ("cache-control", 9000), ("x-amz-meta-l", 60_000)] {
        let answer = yard.call(Some(&root), "PUT", &target, &[(name, &"v".repeat(length))], b"x");
        assert!((400..432).contains(&answer.status), "{name}: {}", answer.status);
    }
}

#[test]
fn a_key_is_escaped_wherever_it_is_said() {
    let mut yard = Yard::new();
    let root = yard.root();
    let path = "%3Cscript%3Ealert(1)%3C%2Fscript%3E&%22'%0d%0a%01%EF%BF%BE]]%3E";
    let target = yard.at(path);
    yard.own("PUT", &target, &[], b"x");
    let upload = yard.begin_upload(&root, path);
    for query in [
        "",
        "?list-type=2",
        "?versions",
        "?uploads",
        "?list-type=2&delimiter=%3C",
        "?prefix=%3Cscript%3E&delimiter=%3Cb%3E&marker=%3Ci%3E",
    ] {
        let listed = yard.own("GET", &yard.at(query), &[], b"").text();
        assert!(
            !listed.contains("<script>") && !listed.contains("<b>") && !listed.contains("<i>"),
            "{query}: {listed}"
        );
        quick_xml_reads(&listed);
    }
    for (method, target) in [
        ("GET", yard.at(&format!("{path}x"))),
        ("GET", yard.at(&format!("{path}?uploadId={upload}x"))),
        ("GET", yard.at(&format!("{path}?versionId=%3Cb%3E"))),
        ("GET", format!("/{}-%3Cscript%3E/{path}", yard.bucket)),
        ("GET", yard.at("?list-type=2&max-keys=%3Cscript%3E")),
        ("GET", yard.at("?list-type=2&continuation-token=%3Cscript%3E")),
        ("PATCH", yard.at(path)),
    ] {
        let answer = yard.call(Some(&root), method, &target, &[], b"");
        let text = answer.text();
        assert!(!text.contains("<script>") && !text.contains("<b>"), "{target}: {text}");
        assert!(answer.header("content-type") == Some("application/xml"), "{target}: {:?}", answer.headers);
        quick_xml_reads(&text);
    }
}

#[track_caller]
fn quick_xml_reads(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return,
            Ok(_) => {}
            Err(error) => panic!("{error}: {text}"),
        }
    }
}

const RULES: &[u8] = b"<CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin>\
    <AllowedOrigin>https://*.b.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod>\
    <AllowedHeader>x-allowed</AllowedHeader><ExposeHeader>etag</ExposeHeader></CORSRule></CORSConfiguration>";

#[test]
fn pages_of_other_origins_see_what_the_bucket_s_rules_let_them_see() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at(SECRET));
    let shared = |answer: &tests::raw::Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let ask = |yard: &mut Yard, origin: &str, method: &str| {
        yard.call(Some(&root), method, &target, &[("origin", origin)], b"x")
    };
    assert_eq!(shared(&ask(&mut yard, "https://a.example", "GET")), None, "without rules nobody");
    let cors = yard.at("?cors");
    yard.own("PUT", &cors, &[], RULES);
    assert_eq!(shared(&ask(&mut yard, "https://a.example", "GET")).as_deref(), Some("https://a.example"));
    assert_eq!(shared(&ask(&mut yard, "https://x.b.example", "GET")).as_deref(), Some("https://x.b.example"));
    for origin in [
        "https://evil.example",
        "http://a.example",
        "https://a.example.evil.example",
        "https://a.example:8443",
        "https://A.example",
        "https://evil.example/https://a.example",
        "https://b.example.evil.example",
        "https://.b.example.evil",
        "null",
        "*",
        "",
        "https://a.example, https://evil.example",
    ] {
        let answer = ask(&mut yard, origin, "GET");
        assert_eq!(shared(&answer), None, "{origin}: {:?}", answer.headers);
        let preflight =
            yard.call(None, "OPTIONS", &target, &[("origin", origin), ("access-control-request-method", "GET")], b"");
        assert!(
            [400, 403].contains(&preflight.status) && shared(&preflight).is_none(),
            "{origin}: {}",
            preflight.text()
        );
    }
    for (method, headers) in
        [("PUT", ""), ("DELETE", ""), ("GET", "x-other"), ("GET", "x-allowed, authorization"), ("get", "")]
    {
        let asked = [
            ("origin", "https://a.example"),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        let preflight = yard.call(None, "OPTIONS", &target, &asked, b"");
        assert!(
            [400, 403].contains(&preflight.status),
            "{method} {headers}: {} {}",
            preflight.status,
            preflight.text()
        );
    }
    // What may be shown by origin is not shown to whom may not read it.
    let answer = yard.call(None, "GET", &target, &[("origin", "https://a.example")], b"");
    assert!(answer.status == 403 && !answer.text().contains(PRIVATE), "{}", answer.text());
    // A shared answer says that it depends on the origin, and a rule for everybody gives no credentials away.
    let answer = ask(&mut yard, "https://a.example", "GET");
    assert!(
        answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("origin")),
        "{:?}",
        answer.headers
    );
    let all = String::from_utf8(RULES.to_vec()).unwrap().replace("https://a.example", "*");
    yard.own("PUT", &cors, &[], all.as_bytes());
    let answer = ask(&mut yard, "https://evil.example", "GET");
    assert_eq!(shared(&answer).as_deref(), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{:?}", answer.headers);
    // A bucket that is not there, and one of others, tell a page nothing.
    for target in ["/no-such-bucket-anywhere/x", "/", "/x"] {
        let preflight = yard.call(
            None,
            "OPTIONS",
            target,
            &[("origin", "https://a.example"), ("access-control-request-method", "GET")],
            b"",
        );
        assert!(preflight.status >= 400 && shared(&preflight).is_none(), "{target}: {}", preflight.status);
    }
}

#[test]
fn a_bucket_s_rules_say_nothing_of_other_services() {
    let mut yard = Yard::new();
    let cors = yard.at("?cors");
    let all = String::from_utf8(RULES.to_vec()).unwrap().replace("https://a.example", "*");
    yard.own("PUT", &cors, &[], all.as_bytes());
    let root = yard.root();
    let mut request = tests::raw::Request::of(
        &yard.scene.host,
        &sts::api::MODEL,
        "GetCallerIdentity",
        wire::model::Protocol::AwsQuery,
        "",
    );
    request.set("origin", "https://evil.example");
    let answer = yard.scene.connection.send(&request.signed(&root, "sts", tests::REGION, now()));
    assert_eq!(answer.header("access-control-allow-origin"), None, "{:?}", answer.headers);
    let other = yard.request("GET", "/_pilvi/health", &[("origin", "https://evil.example")], b"");
    let answer = yard.scene.connection.send(&other);
    assert_eq!(answer.header("access-control-allow-origin"), None, "{:?}", answer.headers);
}

#[test]
fn an_object_under_the_server_s_own_paths_is_no_page_of_the_server_s() {
    let mut yard = Yard::new();
    let root = yard.root();
    let host = format!("{}.s3.localhost", yard.bucket);
    let website = format!("{}.s3-website.localhost", yard.bucket);
    yard.unblock();
    yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
    let target = yard.at("?website");
    let document =
        b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>";
    yard.own("PUT", &target, &[], document);
    for key in ["_pilvi/health", "v2/index.html", "_pilvi/metrics", "v2/_catalog"] {
        let path = format!("/{key}");
        let request = yard.request("PUT", &path, &[("host", &host)], b"forged");
        yard.scene.connection.send_bytes(&whole(&signed(request, &root))).success();
        let page = yard.call(None, "GET", &path, &[], b"");
        assert_ne!(page.text(), "forged", "{key}");
        // At its own hosts all of a bucket is there, and nothing of the server's.
        for host in [&host, &website] {
            let object = yard.call(None, "GET", &path, &[("host", host)], b"").success();
            assert_eq!(object.text(), "forged", "{host}{path}");
        }
    }
}
