//! Buckets as websites.

use http::{HeaderMap, Method, Request};
use wire::serve::RequestBody;
use wire::serve::raw::{RawBody, RawRequest, Routes};

use super::*;
use crate::website_routes::Websites;

const HOST: &str = "photos.s3-website.localhost:4566";

struct Page {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Page {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

impl House {
    /// A house whose bucket is everybody's to read, and a website.
    async fn site(website_configuration: WebsiteConfiguration) -> Self {
        let house = Self::new().await;
        super::permissions::unblock(&house).await;
        super::permissions::set_policy_of(&house, "Allow", r#""*""#, "open/*").await.unwrap();
        let input =
            PutBucketWebsiteRequest { bucket: "photos".to_owned(), website_configuration, ..Default::default() };
        ops::put_bucket_website::put_bucket_website(&house.s3, &house.ctx, input).await.unwrap();
        house
    }

    async fn visit_as(&self, request: http::request::Builder) -> Page {
        let (parts, ()) = request.header("host", HOST).body(()).unwrap().into_parts();
        let body = RequestBody::of(Default::default());
        let (request_id, now) = ("r".to_owned(), self.ctx.now);
        let request = RawRequest { parts, body, request_id, now, source_ip: None };
        let answer = Arc::new(Websites::new(self.s3.clone(), false)).answer(request).await;
        let body = match answer.body {
            RawBody::Bytes(bytes) => bytes.to_vec(),
            RawBody::Content(content) => content.into_reader().read_to_end(usize::MAX).await.unwrap().to_vec(),
            _ => Vec::new(),
        };
        Page { status: answer.status.as_u16(), headers: answer.headers, body: String::from_utf8(body).unwrap() }
    }

    async fn visit(&self, path: &str) -> Page {
        self.visit_as(Request::get(path)).await
    }

    async fn page(&self, key: &str, text: &str) {
        let request = PutObjectRequest { content_type: Some("text/html".to_owned()), ..put_request(key) };
        self.put_as(request, text.as_bytes()).await.unwrap();
    }
}

fn with_index(error_key: Option<&str>) -> WebsiteConfiguration {
    WebsiteConfiguration {
        index_document: Some(IndexDocument { suffix: "index.html".to_owned() }),
        error_document: error_key.map(|key| ErrorDocument { key: key.to_owned() }),
        ..Default::default()
    }
}

#[test]
fn a_website_is_at_its_own_host_alone() {
    let takes = |host: &str| {
        let (parts, ()) = Request::get("/").header("host", host).body(()).unwrap().into_parts();
        wire::rest::host::website(parts.headers["host"].to_str().unwrap()).is_some()
    };
    assert!(takes(HOST) && takes("photos.s3-website-eu-west-1.amazonaws.com"));
    assert!(!takes("photos.s3.localhost:4566") && !takes("localhost:4566") && !takes(".s3-website.localhost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_answers_pages_directories_and_their_index() {
    let house = House::site(with_index(None)).await;
    house.page("open/index.html", "home").await;
    house.page("open/a b.html", "page").await;
    let home = house.visit("/open/").await;
    assert_eq!((home.status, home.body.as_str(), home.header("content-type")), (200, "home", Some("text/html")));
    assert_eq!(house.visit("/open/a%20b.html").await.body, "page");
    let directory = house.visit("/open").await;
    assert_eq!((directory.status, directory.header("location")), (302, Some("/open/")));
    let head = house.visit_as(Request::head("/open/index.html")).await;
    assert_eq!((head.status, head.body.as_str(), head.header("content-length")), (200, "", Some("4")));
    let part = house.visit_as(Request::get("/open/index.html").header("range", "bytes=1-2")).await;
    assert_eq!((part.status, part.body.as_str(), part.header("content-range")), (206, "om", Some("bytes 1-2/4")));
    let etag = home.header("etag").unwrap().to_owned();
    let known = house.visit_as(Request::get("/open/").header("if-none-match", &etag)).await;
    assert_eq!((known.status, known.body.as_str(), known.header("etag")), (304, "", Some(etag.as_str())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_shows_nothing_that_is_not_everybodys() {
    let house = House::site(with_index(Some("open/error.html"))).await;
    house.page("secret/index.html", "secret").await;
    for path in ["/secret/index.html", "/secret/", "/secret", "/secret/missing"] {
        let page = house.visit(path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.body.contains("AccessDenied") && !page.body.contains(">secret"), "{path}: {}", page.body);
        assert_eq!(page.header("location"), None, "{path}");
    }
    house.page("open/error.html", "sorry").await;
    let page = house.visit("/secret/index.html").await;
    assert_eq!((page.status, page.body.as_str()), (403, "sorry"));
    for method in [Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
        let refused = house.visit_as(Request::builder().method(method.clone()).uri("/open/error.html")).await;
        assert_eq!(refused.status, 405, "{method}");
    }
    assert_eq!(house.get("open/error.html").await.unwrap(), b"sorry");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_sends_on_by_its_rules_and_its_objects() {
    let missing = RoutingRule {
        condition: Some(Condition { http_error_code_returned_equals: Some("403".to_owned()), ..Default::default() }),
        redirect: Redirect {
            host_name: Some("api.example.com".to_owned()),
            http_redirect_code: Some("307".to_owned()),
            replace_key_prefix_with: Some("resize?key=".to_owned()),
            ..Default::default()
        },
    };
    let site = WebsiteConfiguration { routing_rules: Some(vec![missing]), ..with_index(None) };
    let house = House::site(site).await;
    let made = house.visit("/open/300x200/a.jpg").await;
    assert_eq!(
        (made.status, made.header("location")),
        (307, Some("http://api.example.com/resize?key=open/300x200/a.jpg"))
    );
    let moved = PutObjectRequest {
        website_redirect_location: Some("/open/new.html".to_owned()),
        ..put_request("open/old.html")
    };
    house.put_as(moved, b"").await.unwrap();
    let moved = house.visit("/open/old.html").await;
    assert_eq!((moved.status, moved.header("location")), (301, Some("/open/new.html")));
    let all = RedirectAllRequestsTo { host_name: "example.com".to_owned(), protocol: Some(Protocol::Https) };
    let house = House::site(WebsiteConfiguration { redirect_all_requests_to: Some(all), ..Default::default() }).await;
    let all = house.visit("/a%2Fb?x=1").await;
    assert_eq!((all.status, all.header("location")), (301, Some("https://example.com/a/b")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_without_a_website_and_no_bucket_say_so() {
    let house = House::new().await;
    let none = house.visit("/").await;
    assert_eq!(none.status, 404);
    assert!(none.body.contains("NoSuchWebsiteConfiguration") && none.header("content-type").is_some());
    let delete = DeleteBucketRequest { bucket: "photos".to_owned(), expected_bucket_owner: None };
    ops::delete_bucket::delete_bucket(&house.s3, &house.ctx, delete).await.unwrap();
    assert!(house.visit("/%3Cscript%3E").await.body.contains("NoSuchBucket"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_an_error_comes_whole_whatever_was_asked_of_the_page_that_is_not_there() {
    let house = House::site(with_index(Some("open/error.html"))).await;
    house.page("open/error.html", "sorry").await;
    let etag = house.visit("/open/error.html").await.header("etag").unwrap().to_owned();
    for (name, value) in [("range", "bytes=1-2"), ("range", "bytes=99-"), ("if-none-match", &etag), ("if-match", "x")] {
        let page = house.visit_as(Request::get("/open/missing.html").header(name, value)).await;
        assert_eq!((page.status, page.body.as_str()), (403, "sorry"), "{name}: {value}");
        assert_eq!((page.header("content-range"), page.header("content-length")), (None, Some("5")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_origins_may_do_with_a_website_what_the_buckets_rules_say() {
    let house = House::site(with_index(None)).await;
    house.page("open/index.html", "home").await;
    let of = |method: Method, origin: &str| {
        let request = Request::builder().method(method).uri("/open/").header("origin", origin);
        request.header("access-control-request-method", "GET")
    };
    let none = house.visit_as(of(Method::GET, "https://a.example")).await;
    assert_eq!((none.status, none.header("access-control-allow-origin")), (200, None));
    assert_eq!(house.visit_as(of(Method::OPTIONS, "https://a.example")).await.status, 403);
    let rule = CORSRule {
        allowed_methods: vec!["GET".to_owned()],
        allowed_origins: vec!["https://*.example".to_owned()],
        ..Default::default()
    };
    let cors_configuration = CORSConfiguration { cors_rules: vec![rule] };
    let input = PutBucketCorsRequest { bucket: "photos".to_owned(), cors_configuration, ..Default::default() };
    ops::put_bucket_cors::put_bucket_cors(&house.s3, &house.ctx, input).await.unwrap();
    for (method, path) in [(Method::GET, "/open/"), (Method::GET, "/secret"), (Method::OPTIONS, "/open/")] {
        let request = Request::builder().method(method.clone()).uri(path).header("origin", "https://a.example");
        let answer = house.visit_as(request.header("access-control-request-method", "GET")).await;
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.example"), "{method} {path}");
    }
    assert_eq!(house.visit_as(of(Method::OPTIONS, "https://b.test")).await.status, 403);
    assert_eq!(house.visit_as(Request::builder().method(Method::OPTIONS).uri("/")).await.status, 400);
}
