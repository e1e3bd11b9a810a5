"""Websites: index and error documents, redirects, routing rules."""

from cases import allow, bucket, case, filled, headers, keys, name, policy, refused, run, s3, same, send, signed, status

SITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


def site(*keys, configuration=SITE, public=True, **more):
    there = filled(*keys, public=True)
    if public:
        policy(there, allow("*", ["s3:GetObject", *(["s3:ListBucket"] if more.get("listed") else [])],
                            ["BUCKET", "BUCKET/*"] if more.get("listed") else "BUCKET/*"))
    s3.put_bucket_website(Bucket=there, WebsiteConfiguration=configuration)
    return there


def get(there, path="/", headers=None, method="GET"):
    return send(method, path, b"", headers, host=f"{there}.s3-website-us-east-1.amazonaws.com")


def rules(*given):
    return {"IndexDocument": {"Suffix": "index.html"}, "RoutingRules": list(given)}


def goes_to(answer, status_code, location):
    same((answer.status, answer.headers.get("location")), (status_code, location))


@case
def a_configuration_is_set_read_and_deleted():
    there = bucket()
    refused("NoSuchWebsiteConfiguration", s3.get_bucket_website, Bucket=there)
    wanted = {
        **SITE, "RoutingRules": [{
            "Condition": {"KeyPrefixEquals": "docs/", "HttpErrorCodeReturnedEquals": "404"},
            "Redirect": {
                "HostName": "example.com", "HttpRedirectCode": "302", "Protocol": "https",
                "ReplaceKeyPrefixWith": "documents/",
            },
        }],
    }
    same(status(s3.put_bucket_website(Bucket=there, WebsiteConfiguration=wanted)), 200)
    found = s3.get_bucket_website(Bucket=there)
    same({key: found[key] for key in wanted}, wanted)
    same(status(s3.delete_bucket_website(Bucket=there)), 204)
    refused("NoSuchWebsiteConfiguration", s3.get_bucket_website, Bucket=there)


@case
def configurations_that_cannot_be_are_refused():
    there = bucket()
    redirect = {"Redirect": {"HostName": "x"}}
    for wrong in (
        {}, {"IndexDocument": {"Suffix": "a/b"}}, {"IndexDocument": {"Suffix": ""}},
        {"RedirectAllRequestsTo": {"HostName": "x"}, **SITE}, {**SITE, "ErrorDocument": {"Key": ""}},
        rules({"Redirect": {"ReplaceKeyWith": "a", "ReplaceKeyPrefixWith": "b"}}),
        rules({"Redirect": {"HostName": "x", "HttpRedirectCode": "200"}}),
        rules({"Redirect": {"HostName": "x", "Protocol": "ftp"}}),
        rules({"Condition": {"HttpErrorCodeReturnedEquals": "200"}, **redirect}), rules(*[redirect] * 51),
    ):
        codes = ("InvalidArgument", "InvalidRequest", "MalformedXML")
        refused(codes, s3.put_bucket_website, Bucket=there, WebsiteConfiguration=wrong)


@case
def a_bucket_that_is_not_there_or_no_website():
    missing = get(name()).expect(404)
    assert "NoSuchBucket" in missing.text and missing.headers["content-type"].startswith("text/html"), missing.text
    plain = get(bucket()).expect(404)
    assert "NoSuchWebsiteConfiguration" in plain.text, plain.text


@case
def the_index_is_answered_for_directories():
    there = site("index.html", "docs/index.html", "page.html")
    for path, expected in (("/", b"index.html"), ("/docs/", b"docs/index.html"), ("/page.html", b"page.html")):
        answer = get(there, path)
        same((answer.status, answer.body), (200, expected))
    goes_to(get(there, "/docs"), 302, "/docs/")


@case
def head_has_no_content():
    there = site("index.html")
    answer = get(there, "/", method="HEAD")
    same((answer.status, answer.body, answer.headers["content-length"]), (200, b"", "10"))


@case
def other_methods_are_not_allowed():
    there = site("index.html")
    for method in ("PUT", "POST", "DELETE"):
        same(get(there, "/index.html", method=method).status, 405)


@case
def headers_of_the_object_are_answered():
    there = site()
    said = {"ContentType": "text/html", "CacheControl": "max-age=60", "Metadata": {"a": "b"}}
    s3.put_object(Bucket=there, Key="index.html", Body=b"<p>", **said)
    answer = get(there)
    same((answer.headers["content-type"], answer.headers["cache-control"]), ("text/html", "max-age=60"))
    same(answer.headers["etag"], s3.head_object(Bucket=there, Key="index.html")["ETag"])
    same(get(there, "/", {"If-None-Match": answer.headers["etag"]}).status, 304)
    ranged = get(there, "/", {"Range": "bytes=0-0"})
    same((ranged.status, ranged.body), (206, b"<"))


@case
def what_is_private_stays_so():
    there = site("index.html", "error.html", public=False)
    answer = get(there).expect(403)
    assert "AccessDenied" in answer.text and "index.html" not in answer.text, answer.text
    same(answer.headers["content-type"].split(";")[0], "text/html")


@case
def the_error_document_is_answered_with_the_errors_status():
    there = site("error.html")
    same((get(there, "/none").status, get(there, "/none").body), (403, b"error.html"))
    there = site("error.html", listed=True)
    same((get(there, "/none").status, get(there, "/none").body), (404, b"error.html"))


@case
def without_an_error_document_a_page_says_what_is_wrong():
    there = site(configuration={"IndexDocument": {"Suffix": "index.html"}}, listed=True)
    answer = get(there, "/none")
    same((answer.status, "NoSuchKey" in answer.text), (404, True))


@case
def an_error_document_that_is_missing_changes_no_status():
    there = site(listed=True)
    same(get(there, "/none").status, 404)


@case
def all_requests_are_sent_elsewhere():
    there = site(configuration={"RedirectAllRequestsTo": {"HostName": "example.com"}}, public=False)
    goes_to(get(there, "/a/b"), 301, "http://example.com/a/b")
    there = site(configuration={"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}, public=False)
    goes_to(get(there, "/"), 301, "https://example.com/")


@case
def an_object_sends_elsewhere():
    there = site()
    s3.put_object(Bucket=there, Key="old", Body=b"x", WebsiteRedirectLocation="/new")
    s3.put_object(Bucket=there, Key="far", Body=b"x", WebsiteRedirectLocation="https://example.com/")
    goes_to(get(there, "/old"), 301, "/new")
    goes_to(get(there, "/far"), 301, "https://example.com/")
    same(signed("GET", f"/{there}/old").expect(200).headers["x-amz-website-redirect-location"], "/new")
    for wrong in ("new", "ftp://x"):
        refused("InvalidRequest", s3.put_object, Bucket=there, Key="k", WebsiteRedirectLocation=wrong)


@case
def a_rule_replaces_a_prefix():
    rule = {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "documents/"}}
    there = site(configuration=rules(rule))
    host = f"{there}.s3-website-us-east-1.amazonaws.com"
    goes_to(get(there, "/docs/a"), 301, f"http://{host}/documents/a")
    same(get(there, "/other").status, 403)


@case
def a_rule_replaces_a_key_and_a_host():
    there = site(configuration=rules({
        "Condition": {"KeyPrefixEquals": "images/"},
        "Redirect": {"ReplaceKeyWith": "gone.html", "HostName": "example.com", "Protocol": "https", "HttpRedirectCode": "307"},
    }))
    goes_to(get(there, "/images/a"), 307, "https://example.com/gone.html")


@case
def a_rule_is_for_an_error():
    configuration = rules({
        "Condition": {"HttpErrorCodeReturnedEquals": "404"},
        "Redirect": {
            "HostName": "api.example.com", "ReplaceKeyPrefixWith": "prod/resize?key=", "HttpRedirectCode": "307",
            "Protocol": "https",
        },
    })
    there = site("300/a.png", configuration=configuration, listed=True)
    same(get(there, "/300/a.png").body, b"300/a.png")
    goes_to(get(there, "/200/a.png"), 307, "https://api.example.com/prod/resize?key=200/a.png")


@case
def the_first_rule_that_fits_is_taken():
    there = site(configuration=rules(
        {"Condition": {"KeyPrefixEquals": "a/"}, "Redirect": {"HostName": "one"}}, {"Redirect": {"HostName": "two"}},
    ))
    goes_to(get(there, "/a/x"), 301, "http://one/a/x")
    goes_to(get(there, "/b/x"), 301, "http://two/b/x")


@case
def odd_names_are_found():
    there = site("a b/ü+c.html")
    same(get(there, "/a%20b/%C3%BC+c.html").body, "a b/ü+c.html".encode())


@case
def the_other_form_of_the_host_is_known_too():
    there = site("index.html")
    same(send("GET", "/", b"", None, host=f"{there}.s3-website.us-east-1.amazonaws.com").body, b"index.html")


run()
