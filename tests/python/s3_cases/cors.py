"""Cross-origin rules, and what pages of other origins are answered."""

from cases import allow, bucket, case, filled, policy, presigned, refused, run, s3, same, send, signed, status

RULES = [
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["*suffix"], "ExposeHeaders": ["x-amz-meta-a"]},
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["start*end"]},
    {"AllowedMethods": ["GET"], "AllowedOrigins": ["prefix*"], "MaxAgeSeconds": 600},
    {"AllowedMethods": ["PUT"], "AllowedOrigins": ["*.put"], "AllowedHeaders": ["x-amz-*", "content-type"]},
]


def ruled(rules=None, **more):
    there = filled("k", public=True, **more)
    policy(there, allow("*", ["s3:GetObject", "s3:PutObject"], "BUCKET/*"))
    s3.put_bucket_cors(Bucket=there, CORSConfiguration={"CORSRules": rules or RULES})
    return there


def origin_of(answer):
    return answer.headers.get("access-control-allow-origin")


def preflight(there, origin, method, asked=None):
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    if asked:
        headers["Access-Control-Request-Headers"] = asked
    return send("OPTIONS", f"/{there}/k", b"", headers)


@case
def rules_are_set_read_and_deleted():
    there = bucket()
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=there)
    rules = [{"ID": "one", "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*.get", "*.put"], "AllowedHeaders": ["*"],
              "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 3000}]
    same(status(s3.put_bucket_cors(Bucket=there, CORSConfiguration={"CORSRules": rules})), 200)
    same(s3.get_bucket_cors(Bucket=there)["CORSRules"], rules)
    same(status(s3.delete_bucket_cors(Bucket=there)), 204)
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=there)


@case
def rules_that_cannot_be_are_refused():
    there = bucket()
    right = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    for code, rules in [
        ("InvalidRequest", [{**right, "AllowedMethods": ["PATCH"]}]), ("InvalidRequest", [{**right, "AllowedOrigins": ["*.*"]}]),
        ("InvalidRequest", [{**right, "AllowedHeaders": ["*-*"]}]), ("InvalidRequest", [{**right, "ExposeHeaders": ["*"]}]),
        ("MalformedXML", []), ("MalformedXML", [{"AllowedMethods": ["GET"]}]), ("MalformedXML", [right] * 101),
    ]:
        refused(code, s3.put_bucket_cors, Bucket=there, CORSConfiguration={"CORSRules": rules})


@case
def without_an_origin_nothing_is_said():
    assert origin_of(send("GET", f"/{ruled()}/k").expect(200)) is None


@case
def origins_may_have_a_wildcard():
    there = ruled()
    for origin, expected in [
        ("foo.suffix", "foo.suffix"), ("foo.bar", None), ("foo.suffix.get", None), ("startend", "startend"),
        ("start1end", "start1end"), ("start12end", "start12end"), ("0start12end", None), ("prefix", "prefix"),
        ("prefix.suffix", "prefix.suffix"), ("bla.prefix", None),
    ]:
        same((origin, origin_of(send("GET", f"/{there}/k", b"", {"Origin": origin}).expect(200))), (origin, expected))


@case
def what_is_answered_to_a_page():
    there = ruled()
    answer = send("GET", f"/{there}/k", b"", {"Origin": "foo.suffix"})
    same(answer.headers["access-control-allow-methods"], "GET")
    same(answer.headers["access-control-expose-headers"], "x-amz-meta-a")
    same(answer.headers["access-control-allow-credentials"], "true")
    assert "origin" in answer.headers["vary"].lower(), answer.headers
    same(send("GET", f"/{there}/k", b"", {"Origin": "prefix.a"}).headers["access-control-max-age"], "600")


@case
def every_origin_is_answered_with_a_star():
    there = ruled([{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}])
    answer = send("GET", f"/{there}/k", b"", {"Origin": "example.origin"})
    same((origin_of(answer), "access-control-allow-credentials" in answer.headers), ("*", False))


@case
def errors_are_answered_to_a_page_too():
    there = ruled()
    missing = send("GET", f"/{there}/none", b"", {"Origin": "foo.suffix"})
    same((missing.status, origin_of(missing)), (403, "foo.suffix"))


@case
def another_method_is_not_allowed():
    there = ruled()
    assert origin_of(send("PUT", f"/{there}/new", b"x", {"Origin": "foo.suffix"})) is None
    same(origin_of(send("PUT", f"/{there}/new", b"x", {"Origin": "foo.put"})), "foo.put")


@case
def browsers_ask_before():
    there = ruled()
    answer = preflight(there, "foo.suffix", "GET").expect(200)
    same((origin_of(answer), answer.headers["access-control-allow-methods"]), ("foo.suffix", "GET"))
    preflight(there, "foo.bar", "GET").expect(403, "AccessForbidden")
    preflight(there, "foo.suffix", "PUT").expect(403, "AccessForbidden")
    preflight(there, "foo.suffix", "DELETE").expect(403, "AccessForbidden")


@case
def headers_that_are_asked_for_have_to_be_allowed():
    there = ruled()
    answer = preflight(there, "foo.put", "PUT", "x-amz-meta-a, Content-Type").expect(200)
    same(answer.headers["access-control-allow-headers"], "x-amz-meta-a, content-type")
    preflight(there, "foo.put", "PUT", "x-other").expect(403, "AccessForbidden")
    preflight(there, "foo.suffix", "GET", "x-amz-meta-a").expect(403, "AccessForbidden")


@case
def who_asks_has_to_say_what():
    there = ruled()
    send("OPTIONS", f"/{there}/k").expect(400, "BadRequest")
    send("OPTIONS", f"/{there}/k", b"", {"Origin": "foo.suffix"}).expect(400, "BadRequest")


@case
def a_bucket_without_rules_allows_no_page():
    there = bucket()
    preflight(there, "foo.suffix", "GET").expect(403, "AccessForbidden")
    assert origin_of(signed("GET", f"/{there}?list-type=2", b"", {"Origin": "foo.suffix"})) is None


@case
def a_presigned_address_is_opened_by_a_page():
    there = filled("k")
    s3.put_bucket_cors(
        Bucket=there, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://example.com"]}]}
    )
    answer = send("GET", presigned("GET", f"/{there}/k"), b"", {"Origin": "http://example.com"}).expect(200)
    same((answer.body, origin_of(answer)), (b"k", "http://example.com"))
    path = presigned("GET", f"/{there}/k")
    headers = {"Origin": "http://example.com", "Access-Control-Request-Method": "GET"}
    same(origin_of(send("OPTIONS", path, b"", headers).expect(200)), "http://example.com")


run()
