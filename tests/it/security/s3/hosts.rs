//! Hosts and paths may both name a bucket: what was signed for one is none of another, whatever else the head says.

use tests::raw::Request;

use super::yard::{PRIVATE, SECRET, Yard, allow, allow_all, is_refused, outcome, signed};
use crate::security::target::whole;

/// A yard, and a bucket beside it that a reader may read.
struct Pair {
    yard: Yard,
    open: String,
    reader: wire::sigv4::Credentials,
}

impl Pair {
    fn new() -> Self {
        let mut yard = Yard::new();
        let open = format!("open-{}", yard.scene.account.id);
        yard.own("PUT", &format!("/{open}"), &[], b"");
        yard.own("PUT", &format!("/{open}/{SECRET}"), &[], b"open");
        let arn = format!("arn:aws:s3:::{open}/*");
        let reader = yard.worker("reader", &[allow(&["s3:GetObject"], &[&arn])]);
        Self { yard, open, reader }
    }

    fn by_host(&self, host: &str, target: &str) -> Request {
        self.yard.request("GET", target, &[("host", host)], b"")
    }
}

#[test]
fn what_was_signed_for_one_bucket_reads_nothing_of_another() {
    let mut pair = Pair::new();
    let (open, closed) = (pair.open.clone(), pair.yard.bucket.clone());
    let key = format!("/{SECRET}");
    for suffix in ["s3.localhost", "s3.us-east-1.amazonaws.com", "s3.amazonaws.com", "localhost", "s3.localhost:4566"] {
        let good = signed(pair.by_host(&format!("{open}.{suffix}"), &key), &pair.reader);
        assert_eq!(pair.yard.scene.connection.send(&good).success().text(), "open", "{suffix}");
        let mut other = good.clone();
        other.set("host", &format!("{closed}.{suffix}"));
        let answer = pair.yard.scene.connection.send(&other);
        is_refused(&answer, 403, "SignatureDoesNotMatch", suffix);
        // In the path there is no second bucket.
        let both = signed(pair.by_host(&format!("{open}.{suffix}"), &format!("/{closed}/{SECRET}")), &pair.reader);
        let answer = pair.yard.scene.connection.send(&both);
        assert!([403, 404].contains(&answer.status) && !answer.text().contains(PRIVATE), "{}", answer.text());
        for headers in [
            [("x-forwarded-host", format!("{closed}.{suffix}"))],
            [("x-original-host", format!("{closed}.{suffix}"))],
            [("forwarded", format!("host={closed}.{suffix}"))],
            [("x-host", format!("{closed}.{suffix}"))],
        ] {
            let mut request = good.clone();
            request.set(headers[0].0, &headers[0].1);
            let answer = pair.yard.scene.connection.send(&request);
            assert!(!answer.text().contains(PRIVATE), "{headers:?}: {}", answer.text());
        }
    }
}

#[test]
fn a_second_host_or_another_one_in_the_address_does_not_decide() {
    let mut pair = Pair::new();
    let (open, closed) = (pair.open.clone(), pair.yard.bucket.clone());
    let (mine, theirs) = (format!("{open}.s3.localhost"), format!("{closed}.s3.localhost"));
    let key = format!("/{SECRET}");
    let good = signed(pair.by_host(&mine, &key), &pair.reader);
    for (first, second) in [(&mine, &theirs), (&theirs, &mine)] {
        let mut twice = good.clone();
        twice.set("host", first);
        twice.headers.push(("host".to_owned(), second.clone()));
        if let Ok(answer) = pair.yard.scene.connection.try_bytes(&whole(&twice), false) {
            assert!([400, 403].contains(&answer.status) && !answer.text().contains(PRIVATE), "{}", answer.text());
        }
    }
    for (authority, host) in [(&theirs, &mine), (&mine, &theirs)] {
        for scheme in ["http", "https"] {
            let mut absolute = good.clone();
            absolute.target = format!("{scheme}://{authority}{key}");
            absolute.set("host", host);
            let answer = pair.yard.scene.connection.send_bytes(&whole(&absolute));
            assert!(!answer.text().contains(PRIVATE), "{scheme}://{authority} for {host}: {}", answer.text());
            // Signed just so, it is the same for who signs and who finds.
            let mut honest = pair.yard.request("GET", &key, &[("host", authority)], b"");
            honest = signed(honest, &pair.reader);
            honest.target = format!("{scheme}://{authority}{key}");
            honest.set("host", host);
            let answer = pair.yard.scene.connection.send_bytes(&whole(&honest));
            assert!(!answer.text().contains(PRIVATE), "{scheme}://{authority} for {host}: {}", answer.text());
        }
    }
}

#[test]
fn odd_hosts_name_no_bucket_that_their_sender_may_not_read() {
    let mut pair = Pair::new();
    let closed = pair.yard.bucket.clone();
    let reader = pair.reader.clone();
    for host in [
        format!("{closed}.s3.localhost."),
        format!("{}.s3.localhost", closed.to_uppercase()),
        format!("{closed}.s3.localhost.s3.localhost"),
        format!("x.{closed}.s3.localhost"),
        format!("{closed}.s3.localhost:80:80"),
        format!("{closed}%2es3.localhost"),
        format!("[{closed}.s3.localhost]"),
        format!("user@{closed}.s3.localhost"),
        format!("{closed}.s3-us-east-1.amazonaws.com"),
        format!("{closed}.s3-accesspoint.us-east-1.amazonaws.com"),
        format!("{closed}.s3.localhost/../x"),
        "..s3.localhost".to_owned(),
        ".s3.localhost".to_owned(),
        String::new(),
    ] {
        for by in [Some(&reader), None] {
            let request = pair.by_host(&host, &format!("/{SECRET}"));
            let request = match by {
                Some(by) if http::HeaderValue::from_str(&host).is_ok() && !host.is_empty() => signed(request, by),
                _ => request,
            };
            let Ok(answer) = pair.yard.scene.connection.try_bytes(&whole(&request), false) else { continue };
            assert!(answer.status >= 400 && !answer.text().contains(PRIVATE), "{host}: {}", answer.text());
            assert!(answer.status < 500 || answer.status == 501, "{host}: {} {}", answer.status, answer.text());
        }
    }
}

#[test]
fn paths_of_others_are_keys_at_a_buckets_host_and_what_nobody_signs_there_is_the_buckets() {
    let mut yard = Yard::new();
    let root = yard.root();
    let keys = ["v2/config.json", "v2/", "_pilvi/health", "_pilvi/metrics", "_lambda/code/x"];
    for host in [format!("{}.localhost", yard.bucket), format!("{}.s3.us-east-1.localhost:4566", yard.bucket)] {
        for key in keys {
            let (target, text) = (format!("/{key}"), format!("{key} of {host}"));
            yard.call(Some(&root), "PUT", &target, &[("host", &host)], text.as_bytes()).success();
            assert_eq!(yard.call(Some(&root), "GET", &target, &[("host", &host)], b"").success().text(), text);
            assert_eq!(yard.content(key).as_deref(), Some(text.as_bytes()));
            is_refused(&yard.call(None, "GET", &target, &[("host", &host)], b""), 403, "AccessDenied", key);
        }
        let delete = format!("<Delete><Object><Key>{SECRET}</Key></Object></Delete>");
        let answer = yard.call(None, "POST", "/?delete", &[("host", &host)], delete.as_bytes());
        let text = answer.text();
        assert!(text.contains("<Code>AccessDenied</Code>") && !text.contains("<Deleted>"), "{text}");
        assert_eq!(yard.content(SECRET).as_deref(), Some(PRIVATE.as_bytes()));
    }
    // They are where they were at the server's own names.
    assert_eq!(yard.call(None, "GET", "/v2/", &[], b"").status, 401);
    for host in ["s3.localhost", "s3.us-east-1.localhost:4566"] {
        let target = yard.at("v2/config.json");
        let answer = yard.call(Some(&root), "GET", &target, &[("host", host)], b"").success();
        assert!(answer.text().starts_with("v2/config.json of"), "{host}");
    }
}

#[test]
fn nothing_is_posted_to_a_key_without_saying_what() {
    let mut yard = Yard::new();
    let (root, target) = (yard.root(), yard.at("k"));
    for query in ["", "?x-id=CompleteMultipartUpload", "?partNumber=1"] {
        let answer = yard.call(Some(&root), "POST", &format!("{target}{query}"), &[], b"x");
        is_refused(&answer, 405, "MethodNotAllowed", query);
    }
    assert_eq!(yard.content("k"), None);
}

#[test]
fn a_website_shows_what_anybody_may_read_whoever_asks() {
    let mut yard = Yard::new();
    yard.put("public/index.html", b"<p>home</p>");
    yard.put("private/index.html", PRIVATE.as_bytes());
    yard.put("error.html", PRIVATE.as_bytes());
    yard.unblock();
    yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/public/*"])]);
    let target = yard.at("?website");
    let document = b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument></WebsiteConfiguration>";
    yard.own("PUT", &target, &[], document);
    let root = yard.root();
    for host in [
        format!("{}.s3-website.localhost", yard.bucket),
        format!("{}.s3-website-us-east-1.amazonaws.com", yard.bucket),
        format!("{}.s3-website.us-east-1.localhost:4566", yard.bucket),
    ] {
        let page = yard.call(None, "GET", "/public/", &[("host", &host)], b"").success();
        assert_eq!(page.text(), "<p>home</p>");
        for path in [
            "/",
            "/private/",
            "/private",
            "/secret/diary",
            "/error.html",
            "/public/../private/",
            "/public/%2e%2e/private/",
            "/public%2F..%2Fprivate/",
            "//private/",
            "/?list-type=2",
            "/?acl",
            "/?policy",
            "/private/index.html?versionId=null",
        ] {
            for by in [None, Some(&root)] {
                for method in ["GET", "HEAD"] {
                    let answer = yard.call(by, method, path, &[("host", &host)], b"");
                    let text = answer.text();
                    assert!(!text.contains(PRIVATE) && !text.contains("<Key>"), "{host}{path}: {text}");
                    assert!(
                        [302, 301, 400, 403, 404].contains(&answer.status),
                        "{host}{path}: {} {text}",
                        answer.status
                    );
                }
            }
        }
        for method in ["PUT", "POST", "DELETE", "PATCH"] {
            let answer = yard.call(Some(&root), method, "/public/index.html", &[("host", &host)], b"x");
            assert_eq!(answer.status, 405, "{method}: {}", answer.text());
        }
    }
    // The website of a bucket that has none, or that nobody has.
    for bucket in ["nobody-has-this", &yard.scene.account.id.clone()] {
        let host = format!("{bucket}.s3-website.localhost");
        let answer = yard.call(None, "GET", "/", &[("host", &host)], b"");
        assert_eq!(answer.status, 404, "{}", answer.text());
    }
    assert_eq!(yard.content("public/index.html").as_deref(), Some(&b"<p>home</p>"[..]));
    let (status, _) = outcome(&yard.call(None, "GET", &yard.at("private/index.html"), &[], b""));
    assert_eq!(status, 403);
}

#[test]
fn a_website_s_directory_is_no_other_host() {
    let mut yard = Yard::new();
    for key in ["%2Fevil.example/index.html", "%5Cevil.example/index.html", "a%3Fb/index.html"] {
        yard.put(key, b"index");
    }
    yard.unblock();
    yard.policy(&[allow_all(&["s3:GetObject"], &["BUCKET/*"])]);
    let target = yard.at("?website");
    let document =
        b"<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument></WebsiteConfiguration>";
    yard.own("PUT", &target, &[], document);
    let host = format!("{}.s3-website.localhost", yard.bucket);
    for (path, location) in [
        ("//evil.example", "/%2Fevil.example/"),
        ("/%2Fevil.example", "/%2Fevil.example/"),
        ("/%5Cevil.example", "/%5Cevil.example/"),
        ("/a%3Fb", "/a%3Fb/"),
    ] {
        let answer = yard.call(None, "GET", path, &[("host", &host)], b"");
        assert_eq!((answer.status, answer.header("location")), (302, Some(location)), "{path}: {}", answer.text());
        let page = yard.call(None, "GET", location, &[("host", &host)], b"").success();
        assert_eq!(page.text(), "index", "{location}");
    }
}

#[test]
fn what_a_website_says_of_a_path_is_no_markup_and_no_header() {
    let mut yard = Yard::new();
    let target = yard.at("?website");
    let rules = "<RoutingRules><RoutingRule><Condition><KeyPrefixEquals>go/</KeyPrefixEquals></Condition><Redirect>\
                 <ReplaceKeyPrefixWith>there/</ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules>";
    let document = format!(
        "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix></IndexDocument>{rules}</WebsiteConfiguration>"
    );
    yard.own("PUT", &target, &[], document.as_bytes());
    let host = format!("{}.s3-website.localhost", yard.bucket);
    for path in [
        "/%3Cscript%3Ealert(1)%3C/script%3E",
        "/%22%3E%3Cimg%20src=x%3E",
        "/a%0d%0aset-cookie:%20x=y",
        "/go/%0d%0aset-cookie:%20x=y",
        "/go/%3Cscript%3E",
        "/go///evil.example/",
        "/go/..%2F..%2F",
        "/%0d%0a%0d%0a%3Cscript%3E",
    ] {
        let answer = yard.call(None, "GET", path, &[("host", &host)], b"");
        let text = answer.text();
        assert!(!text.contains("<script>") && !text.contains("<img"), "{path}: {text}");
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        if let Some(location) = answer.header("location") {
            let is_here = location.starts_with(&format!("http://{host}/")) || location.starts_with("/there/");
            assert!(is_here && !location.contains(['\r', '\n', '<']), "{path}: {location}");
        }
    }
}
