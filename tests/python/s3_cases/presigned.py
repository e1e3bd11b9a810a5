"""Presigned addresses: what whoever has one may do, for how long, and what cannot be changed."""

from cases import (
    ENDPOINT, GIVEN, allow, bucket, case, client, filled, policy, presigned, read, refused, run, s3, same, send,
    target,
)


@case
def an_address_reads():
    there = filled("a b/ü")
    answer = send("GET", presigned("GET", target(f"/{there}/a b/ü"))).expect(200)
    same(answer.body, "a b/ü".encode())
    same(send("HEAD", presigned("HEAD", target(f"/{there}/a b/ü"))).status, 200)


@case
def an_address_writes_and_deletes():
    there = bucket()
    send("PUT", presigned("PUT", f"/{there}/k"), b"content").expect(200)
    same(read(there, "k"), b"content")
    send("DELETE", presigned("DELETE", f"/{there}/k")).expect(204)
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def an_address_lists():
    there = filled("a")
    assert "<Key>a</Key>" in send("GET", presigned("GET", f"/{there}?list-type=2")).expect(200).text


@case
def what_clients_make_is_opened():
    there = filled("k")
    url = client(signature_version="s3v4").generate_presigned_url("get_object", Params={"Bucket": there, "Key": "k"})
    same(send("GET", url.removeprefix(ENDPOINT)).expect(200).body, b"k")


@case
def an_address_of_the_old_kind_is_refused_by_name():
    there = filled("k")
    answer = send("GET", f"/{there}/k?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=4102444800&Signature=x")
    answer.expect(400, "InvalidRequest")
    assert "AWS4-HMAC-SHA256" in answer.text, answer.text


@case
def an_address_is_good_for_a_second_to_a_week():
    there = filled("k")
    for right in (1, 100000, 604800):
        send("GET", presigned("GET", f"/{there}/k", right)).expect(200)
    for wrong in (604801, -7, 9999999999999):
        send("GET", presigned("GET", f"/{there}/k", wrong)).expect(400, "AuthorizationQueryParametersError")
    same(send("GET", presigned("GET", f"/{there}/k", 0)).status in (400, 403), True)


@case
def an_address_that_is_over_is_refused():
    there = filled("k")
    path = presigned("GET", f"/{there}/k", 300)
    start = path.index("X-Amz-Date=") + len("X-Amz-Date=")
    changed = path[:start] + "20200101T000000Z" + path[start + 16 :]
    same(send("GET", changed).status in (400, 403), True)


@case
def nothing_of_an_address_can_be_changed():
    there = filled("k", "other")
    path = presigned("GET", f"/{there}/k")
    send("GET", path.replace("/k?", "/other?")).expect(403, "SignatureDoesNotMatch")
    send("GET", path + "&versionId=null").expect(403, "SignatureDoesNotMatch")
    send("GET", path.replace("X-Amz-Expires=300", "X-Amz-Expires=301")).expect(403, "SignatureDoesNotMatch")
    send("PUT", path, b"x").expect(403, "SignatureDoesNotMatch")
    send("DELETE", path).expect(403, "SignatureDoesNotMatch")
    same(read(there, "k"), b"k")


@case
def headers_that_are_signed_have_to_be_sent():
    there = bucket()
    path = presigned("PUT", f"/{there}/k", headers={"Content-Type": "text/x", "x-amz-meta-a": "b"})
    same(send("PUT", path, b"x", {"Content-Type": "text/y", "x-amz-meta-a": "b"}).status, 403)
    send("PUT", path, b"x", {"Content-Type": "text/x", "x-amz-meta-a": "b"}).expect(200)
    found = s3.head_object(Bucket=there, Key="k")
    same((found["ContentType"], found["Metadata"]), ("text/x", {"a": "b"}))


@case
def what_is_not_signed_is_not_taken():
    there = bucket()
    answer = send("PUT", presigned("PUT", f"/{there}/k"), b"x", {"x-amz-acl": "public-read"})
    same((answer.status, answer.code), (403, "AccessDenied"))
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def an_address_has_the_rights_of_its_maker():
    there = filled("k")
    send("GET", presigned("GET", f"/{there}/k", key=GIVEN["user"])).expect(403, "AccessDenied")
    policy(there, allow({"AWS": f"arn:aws:iam::{GIVEN['account']}:user/idle"}, "s3:GetObject", "BUCKET/*"))
    send("GET", presigned("GET", f"/{there}/k", key=GIVEN["user"])).expect(200)
    send("GET", presigned("GET", f"/{there}/k", key=GIVEN["other"])).expect(403, "AccessDenied")


@case
def two_ways_of_signing_together_are_refused():
    there = filled("k")
    answer = send("GET", presigned("GET", f"/{there}/k"), b"", {"Authorization": "AWS4-HMAC-SHA256 Credential=x"})
    same((answer.status, answer.code), (400, "InvalidArgument"))


@case
def ranges_and_conditions_go_with_an_address():
    there = filled("content")
    path = presigned("GET", f"/{there}/content")
    same(send("GET", path, b"", {"Range": "bytes=1-3"}).expect(206).body, b"ont")
    send("GET", path, b"", {"If-None-Match": "*"}).expect(304)


run()
