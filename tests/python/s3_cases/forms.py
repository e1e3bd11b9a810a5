"""Browsers' forms: uploads with a policy, and what the policy has to say of each field."""

import base64
import datetime
import hashlib
import hmac
import json
import os

from cases import (
    ACCOUNT, GIVEN, PART, REGION, allow, bucket, case, client, name, policy, read, refused, run, s3, same, send,
    status, user,
)

BOUNDARY = "----boundary0123456789"


def at(minutes):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def signing_key(secret, date):
    key = ("AWS4" + secret).encode()
    for step in (date, REGION, "s3", "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return key


def signature_fields(document, key=None):
    """The fields of a policy and its signature."""
    key = key or {"id": os.environ["AWS_ACCESS_KEY_ID"], "secret": os.environ["AWS_SECRET_ACCESS_KEY"]}
    now = datetime.datetime.now(datetime.timezone.utc)
    date = now.strftime("%Y%m%d")
    said = {
        "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": f"{key['id']}/{date}/{REGION}/s3/aws4_request",
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
    }
    if isinstance(document, dict) and isinstance(document.get("conditions"), list):
        document = {**document, "conditions": document["conditions"] + [{field: value} for field, value in said.items()]}
    text = document if isinstance(document, str) else json.dumps(document)
    encoded = base64.b64encode(text.encode()).decode()
    signature = hmac.new(signing_key(key["secret"], date), encoded.encode(), hashlib.sha256).hexdigest()
    return {"policy": encoded, **said, "x-amz-signature": signature}


def form(fields, content=b"bar", filename="foo.txt", content_type=b"text/plain"):
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'.encode()
             for field, value in fields.items()]
    if content is not None:
        parts.append(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'.encode()
            + b"Content-Type: " + content_type + b"\r\n\r\n" + content + b"\r\n"
        )
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post(there, fields, **more):
    body = form(fields, **more)
    return send("POST", f"/{there}", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})


def conditions(there, *more):
    return [{"bucket": there}, ["starts-with", "$key", "foo"], *more]


def upload(there, fields=None, more=(), document=None, key=None, **form_more):
    """A form with a policy that allows it, unless something else is given."""
    document = document or {"expiration": at(10), "conditions": conditions(there, *more)}
    return post(there, {"key": "foo.txt", **signature_fields(document, key), **(fields or {})}, **form_more)


@case
def a_form_with_a_policy_is_an_upload():
    there = bucket()
    answer = upload(there).expect(204)
    same((read(there, "foo.txt"), answer.headers["etag"]), (b"bar", f'"{hashlib.md5(b"bar").hexdigest()}"'))
    assert answer.headers["location"].endswith("/foo.txt"), answer.headers


@case
def what_clients_make_is_an_upload():
    there = bucket()
    # By default boto3 signs forms for this region in the old way, which is refused.
    made = client(signature_version="s3v4").generate_presigned_post(
        there, "foo/${filename}", Fields={"acl": "bucket-owner-full-control"},
        Conditions=[{"acl": "bucket-owner-full-control"}, ["content-length-range", 1, 10]],
    )
    post(there, made["fields"]).expect(204)
    same(read(there, "foo/foo.txt"), b"bar")


@case
def the_status_may_be_chosen():
    there = bucket()
    for wanted, expected in (("200", 200), ("201", 201), ("204", 204), ("404", 204), ("x", 204)):
        answer = upload(there, {"success_action_status": wanted}, [{"success_action_status": wanted}])
        same((wanted, answer.status), (wanted, expected))
        if expected == 201:
            for part in (f"<Bucket>{there}</Bucket>", "<Key>foo.txt</Key>", "<ETag>", "<Location>"):
                assert part in answer.text, answer.text


@case
def a_page_may_be_sent_elsewhere_afterwards():
    there = bucket()
    target = "http://example.com/done?a=1"
    answer = upload(there, {"success_action_redirect": target}, [{"success_action_redirect": target}])
    same(answer.status, 303)
    location = answer.headers["location"]
    assert location.startswith(target) and f"bucket={there}" in location and "key=foo.txt" in location, location
    same(read(there, "foo.txt"), b"bar")


@case
def the_name_of_the_file_may_be_the_key():
    there = bucket()
    upload(there, {"key": "foo-${filename}"}, filename="picture one.png").expect(204)
    same(read(there, "foo-picture one.png"), b"bar")


@case
def headers_and_metadata_come_as_fields():
    there = bucket()
    fields = {
        "Content-Type": "text/x", "Cache-Control": "no-cache", "x-amz-meta-foo": "barclamp",
        "x-amz-storage-class": "STANDARD_IA",
    }
    upload(there, fields, [
        {"Content-Type": "text/x"}, {"Cache-Control": "no-cache"}, ["starts-with", "$x-amz-meta-foo", "bar"],
        {"x-amz-storage-class": "STANDARD_IA"},
    ]).expect(204)
    found = s3.head_object(Bucket=there, Key="foo.txt")
    same((found["ContentType"], found["CacheControl"], found["Metadata"], found["StorageClass"]),
         ("text/x", "no-cache", {"foo": "barclamp"}, "STANDARD_IA"))


@case
def tags_come_as_a_document():
    there = bucket()
    tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    upload(there, {"tagging": tagging}, [["starts-with", "$tagging", ""]]).expect(204)
    same(s3.get_object_tagging(Bucket=there, Key="foo.txt")["TagSet"], [{"Key": "a", "Value": "b"}])


@case
def a_large_file_streams():
    there, content = bucket(), b"x" * (PART + 3)
    upload(there, content=content).expect(204)
    same(read(there, "foo.txt"), content)


@case
def an_empty_file_is_one():
    there = bucket()
    upload(there, content=b"").expect(204)
    same(read(there, "foo.txt"), b"")


@case
def names_of_fields_have_no_case():
    there = bucket()
    document = {"expiration": at(10), "conditions": [{"BuCkEt": there}, ["StArTs-WiTh", "$KeY", "foo"]]}
    fields = {field.upper() if field == "policy" else field: value for field, value in signature_fields(document).items()}
    post(there, {"kEy": "foo.txt", **fields}).expect(204)


@case
def fields_to_be_ignored_are_ignored():
    there = bucket()
    upload(there, {"x-ignore-foo": "bar"}).expect(204)


@case
def dollars_may_be_escaped_in_values():
    there = bucket()
    document = {"expiration": at(10), "conditions": [{"bucket": there}, ["starts-with", "$key", "$foo"]]}
    answer = post(there, {"key": "$foo.txt", **signature_fields(document)}).expect(204)
    assert answer
    same(read(there, "$foo.txt"), b"bar")


@case
def a_wrong_signature_or_key_is_refused():
    there = bucket()
    document = {"expiration": at(10), "conditions": conditions(there)}
    fields = signature_fields(document)
    reversed_signature = {**fields, "x-amz-signature": fields["x-amz-signature"][::-1]}
    post(there, {"key": "foo.txt", **reversed_signature}).expect(403, "SignatureDoesNotMatch")
    unknown = signature_fields(document, {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "x"})
    post(there, {"key": "foo.txt", **unknown}).expect(403, "InvalidAccessKeyId")
    changed = {**fields, "policy": base64.b64encode(base64.b64decode(fields["policy"]) + b" ").decode()}
    post(there, {"key": "foo.txt", **changed}).expect(403, "SignatureDoesNotMatch")
    refused("404", s3.head_object, Bucket=there, Key="foo.txt")


@case
def a_form_without_a_signature_is_nobodys():
    there = bucket(public=True)
    post(there, {"key": "foo.txt"}).expect(403, "AccessDenied")
    policy(there, allow("*", "s3:PutObject", "BUCKET/foo*"))
    post(there, {"key": "foo.txt"}).expect(204)
    same(status(s3.head_object(Bucket=there, Key="foo.txt")), 200)
    post(there, {"key": "bar.txt"}).expect(403, "AccessDenied")


@case
def a_part_of_a_signature_is_none():
    there = bucket()
    fields = signature_fields({"expiration": at(10), "conditions": conditions(there)})
    for missing in ("x-amz-signature", "x-amz-credential", "x-amz-date", "x-amz-algorithm"):
        answer = post(there, {"key": "foo.txt", **{field: value for field, value in fields.items() if field != missing}})
        assert answer.status in (400, 403), (missing, answer.status, answer.text)
    answer = post(there, {"key": "foo.txt", **{field: value for field, value in fields.items() if field != "policy"}})
    assert answer.status in (400, 403), answer.text
    refused("404", s3.head_object, Bucket=there, Key="foo.txt")


@case
def a_key_is_wanted():
    there = bucket()
    answer = post(there, signature_fields({"expiration": at(10), "conditions": [{"bucket": there}]}))
    answer.expect(400, "InvalidArgument")


@case
def a_file_is_wanted_and_is_the_last_field():
    there = bucket()
    same(upload(there, content=None).code, "InvalidArgument")
    fields = signature_fields({"expiration": at(10), "conditions": conditions(there)})
    twice = form({"key": "foo.txt", **fields}).removesuffix(f"--{BOUNDARY}--\r\n".encode()) + form({})
    answer = send("POST", f"/{there}", twice, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    # What comes after the file is passed over, as AWS's documents have it.
    same((answer.status, read(there, "foo.txt")), (204, b"bar"))


@case
def every_field_has_to_be_in_the_policy():
    there = bucket()
    upload(there, {"x-amz-meta-foo": "bar"}).expect(403, "AccessDenied")
    upload(there, {"Content-Type": "text/html"}).expect(403, "AccessDenied")
    upload(there, {"acl": "public-read"}).expect(403, "AccessDenied")


@case
def every_condition_has_to_hold():
    there = bucket()
    for more in ([{"x-amz-meta-foo": "barclamp"}], [["starts-with", "$x-amz-meta-foo", "x"]], [["eq", "$key", "foo"]]):
        upload(there, None, more).expect(403, "AccessDenied")
    upload(there, {"x-amz-meta-foo": "BARCLAMP"}, [{"x-amz-meta-foo": "barclamp"}]).expect(403, "AccessDenied")
    upload(there, {"key": "bar.txt"}).expect(403, "AccessDenied")
    same(s3.list_objects_v2(Bucket=there)["KeyCount"], 0)


@case
def a_policy_ends():
    there = bucket()
    upload(there, document={"expiration": at(-10), "conditions": conditions(there)}).expect(403, "AccessDenied")


@case
def a_policy_is_for_its_bucket():
    there = bucket()
    upload(there, document={"expiration": at(10), "conditions": conditions(bucket())}).expect(403, "AccessDenied")
    post(name(), {"key": "foo.txt"}).expect(404, "NoSuchBucket")


@case
def what_is_no_policy_is_refused():
    there = bucket()
    for wrong in (
        "", "{", "[]", {"expiration": at(10)}, {"conditions": conditions(there)},
        {"EXPIRATION": at(10), "conditions": conditions(there)},
        {"expiration": at(10), "CONDITIONS": conditions(there)}, {"expiration": "tomorrow", "conditions": conditions(there)},
        {"expiration": at(10), "conditions": {}},
    ):
        answer = upload(there, document=wrong) if wrong else post(there, {"key": "foo.txt", **signature_fields("")})
        assert answer.status in (400, 403), (wrong, answer.status)
    refused("404", s3.head_object, Bucket=there, Key="foo.txt")


@case
def a_policy_without_conditions_allows_nothing():
    there = bucket()
    assert upload(there, document={"expiration": at(10), "conditions": []}).status in (400, 403)


@case
def the_size_may_be_limited():
    there = bucket()
    upload(there, None, [["content-length-range", 0, 3]]).expect(204)
    upload(there, None, [["content-length-range", 0, 2]]).expect(400, "EntityTooLarge")
    upload(there, None, [["content-length-range", 4, 9]]).expect(400, "EntityTooSmall")
    for wrong in (["content-length-range", 0], ["content-length-range", -1, 0], ["content-length-range", "a", "b"]):
        assert upload(there, None, [wrong]).status in (400, 403), wrong


@case
def who_signs_has_to_be_allowed():
    there = bucket()
    upload(there, key=GIVEN["user"]).expect(403, "AccessDenied")
    upload(there, key=GIVEN["other"]).expect(403, "AccessDenied")
    policy(there, allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/idle"}, "s3:PutObject", "BUCKET/foo*"))
    upload(there, key=GIVEN["user"]).expect(204)
    refused("AccessDenied", user.get_object, Bucket=there, Key="foo.txt")


@case
def a_checksum_may_come_as_a_field():
    there = bucket()
    right = base64.b64encode(hashlib.sha256(b"bar").digest()).decode()
    fields = {"x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-sha256": right}
    upload(there, fields, [fields]).expect(204)
    same(s3.head_object(Bucket=there, Key="foo.txt", ChecksumMode="ENABLED")["ChecksumSHA256"], right)
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    fields["x-amz-checksum-sha256"] = wrong
    same(upload(there, fields, [fields]).status, 400)


@case
def a_form_that_is_none_is_refused():
    there = bucket()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    for body, kind in (
        (b"key=a&file=b", "application/x-www-form-urlencoded"), (b"junk", kind), (form({"key": "foo"})[:-10], kind),
        (b"", "multipart/form-data"),
    ):
        answer = send("POST", f"/{there}", body, {"Content-Type": kind})
        assert 400 <= answer.status < 500, (kind, answer.status, answer.text)


@case
def an_upload_by_a_form_is_a_version():
    there = bucket(versioning="Enabled")
    one, two = upload(there).headers["x-amz-version-id"], upload(there).headers["x-amz-version-id"]
    assert one != two
    same(s3.head_object(Bucket=there, Key="foo.txt")["VersionId"], two)


run()
