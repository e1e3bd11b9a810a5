"""Objects: what is written is read, with all that is said of it."""

import datetime
import socket
from urllib.parse import urlsplit

from cases import (
    ENDPOINT, bucket, case, filled, headers, md5, name, presigned, read, refused, run, s3, same, send, sent_to,
    signed, status,
)


@case
def what_is_written_is_read():
    there = bucket()
    for content in (b"", b"x", b"0" * 8191, b"1" * 8192, b"2" * 8193, bytes(range(256)) * 5000):
        answer = s3.put_object(Bucket=there, Key="k", Body=content)
        same(answer["ETag"], f'"{md5(content)}"')
        found = s3.get_object(Bucket=there, Key="k")
        same((found["Body"].read(), found["ContentLength"], found["ETag"]), (content, len(content), answer["ETag"]))


@case
def what_is_written_over_is_gone():
    there = filled("k")
    s3.put_object(Bucket=there, Key="k", Body=b"soup", Metadata={"a": "1"})
    same(read(there, "k"), b"soup")
    s3.put_object(Bucket=there, Key="k", Body=b"")
    found = s3.get_object(Bucket=there, Key="k")
    same((found["Body"].read(), found["Metadata"]), (b"", {}))


@case
def what_is_deleted_is_gone():
    there = filled("k")
    same(status(s3.delete_object(Bucket=there, Key="k")), 204)
    answer = refused("NoSuchKey", s3.get_object, Bucket=there, Key="k")
    same((status(answer), answer["Error"]["Key"]), (404, "k"))
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def deleting_what_is_not_there_succeeds():
    same(status(s3.delete_object(Bucket=bucket(), Key="never")), 204)
    refused("NoSuchBucket", s3.delete_object, Bucket=name(), Key="k")


@case
def head_says_what_get_says_without_the_content():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"abc", ContentType="text/plain", Metadata={"a": "b"})
    got, head = signed("GET", f"/{there}/k").expect(200), signed("HEAD", f"/{there}/k").expect(200)
    volatile = ("date", "x-amz-request-id", "x-amz-id-2")
    kept = lambda answer: {name: value for name, value in answer.headers.items() if name not in volatile}
    same(kept(got), kept(head))
    same(head.body, b"")


@case
def head_of_what_is_not_there_has_no_document():
    answer = signed("HEAD", f"/{bucket()}/k")
    same((answer.status, answer.body), (404, b""))


@case
def headers_of_an_object_come_back():
    there = bucket()
    said = {
        "CacheControl": "public, max-age=14400", "ContentDisposition": "attachment; filename=\"a b\"",
        "ContentEncoding": "gzip", "ContentLanguage": "de", "ContentType": "text/html; charset=utf-8",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    s3.put_object(Bucket=there, Key="k", Body=b"x", **said)
    found = s3.head_object(Bucket=there, Key="k")
    same({key: found[key] for key in said}, said)


@case
def expires_comes_back_as_it_was_said():
    there = bucket()
    when = "Wed, 21 Oct 2099 07:28:00 GMT"
    signed("PUT", f"/{there}/k", b"x", {"Expires": when}).expect(200)
    same(signed("HEAD", f"/{there}/k").headers["expires"], when)
    signed("PUT", f"/{there}/odd", b"x", {"Expires": "never"}).expect(200)
    same(signed("HEAD", f"/{there}/odd").headers["expires"], "never")


@case
def an_object_whose_type_is_not_said_is_bytes():
    there = bucket()
    signed("PUT", f"/{there}/k", b"x").expect(200)
    assert signed("GET", f"/{there}/k").headers["content-type"] in ("binary/octet-stream", "application/octet-stream")


@case
def the_encoding_of_the_transfer_is_not_the_objects():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"x", ContentEncoding="gzip")
    same(s3.head_object(Bucket=there, Key="k")["ContentEncoding"], "gzip")
    s3.put_object(Bucket=there, Key="plain", Body=b"x", ContentEncoding="aws-chunked")
    assert "aws-chunked" not in s3.head_object(Bucket=there, Key="plain").get("ContentEncoding", "")


@case
def metadata_comes_back():
    there = bucket()
    said = {"meta1": "mymeta", "with-hyphen": "a b  c", "empty": ""}
    s3.put_object(Bucket=there, Key="k", Body=b"x", Metadata=said)
    same(s3.get_object(Bucket=there, Key="k")["Metadata"], said)


@case
def names_of_metadata_have_no_case():
    there = bucket()
    signed("PUT", f"/{there}/k", b"x", {"X-Amz-Meta-MiXed": "Value"}).expect(200)
    same(s3.head_object(Bucket=there, Key="k")["Metadata"], {"mixed": "Value"})


@case
def metadata_of_the_object_before_does_not_stay():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Metadata={"a": "1"})
    s3.put_object(Bucket=there, Key="k", Metadata={"b": "2"})
    same(s3.head_object(Bucket=there, Key="k")["Metadata"], {"b": "2"})


@case
def metadata_beyond_ascii_comes_back_encoded():
    there = bucket()
    signed("PUT", f"/{there}/k", b"x", {"x-amz-meta-m": "Hello World\u00e9"}).expect(200)
    answer = signed("GET", f"/{there}/k").expect(200)
    same(answer.headers["x-amz-meta-m"], "=?UTF-8?B?SGVsbG8gV29ybGTDqQ==?=")


@case
def metadata_has_two_kibibytes_at_most():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Metadata={"m": "x" * 2047})
    refused("MetadataTooLarge", s3.put_object, Bucket=there, Key="k", Metadata={"m": "x" * 2048})
    refused("MetadataTooLarge", s3.create_multipart_upload, Bucket=there, Key="k", Metadata={"m": "x" * 2048})


@case
def a_key_has_1024_bytes_at_most():
    there = bucket()
    for key in ("x" * 1024, "é" * 512):
        s3.put_object(Bucket=there, Key=key, Body=b"x")
        same(read(there, key), b"x")
    for key in ("x" * 1025, "é" * 513):
        refused("KeyTooLongError", s3.put_object, Bucket=there, Key=key, Body=b"x")


@case
def a_storage_class_is_a_label():
    there = bucket()
    for label in ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "GLACIER_IR"):
        s3.put_object(Bucket=there, Key=label, Body=b"x", StorageClass=label)
        same(s3.head_object(Bucket=there, Key=label)["StorageClass"], label)
        same(read(there, label), b"x")
    s3.put_object(Bucket=there, Key="k", Body=b"x", StorageClass="STANDARD")
    assert "StorageClass" not in s3.head_object(Bucket=there, Key="k")
    refused("InvalidStorageClass", s3.put_object, Bucket=there, Key="k", Body=b"x", StorageClass="SHOEBOX")


@case
def a_request_may_say_what_the_answer_says():
    there = filled("k")
    wanted = {
        "ResponseCacheControl": "no-cache", "ResponseContentDisposition": "bla", "ResponseContentEncoding": "aaa",
        "ResponseContentLanguage": "esperanto", "ResponseContentType": "foo/bar",
        "ResponseExpires": datetime.datetime(2099, 1, 2, tzinfo=datetime.timezone.utc),
    }
    found = headers(s3.get_object(Bucket=there, Key="k", **wanted))
    same(found["cache-control"], "no-cache")
    same(found["content-disposition"], "bla")
    same(found["content-encoding"], "aaa")
    same(found["content-language"], "esperanto")
    same(found["content-type"], "foo/bar")
    assert found["expires"].startswith("Fri, 02 Jan 2099"), found


@case
def a_presigned_request_may_say_what_the_answer_says():
    there = filled("k")
    path = presigned("GET", f"/{there}/k?response-content-type=text/x&response-content-disposition=attachment")
    found = send("GET", path).expect(200)
    same((found.headers["content-type"], found.headers["content-disposition"]), ("text/x", "attachment"))


@case
def content_that_is_not_what_its_digest_says_is_refused():
    there = bucket()
    refused("BadDigest", s3.put_object, Bucket=there, Key="k", Body=b"bar", ContentMD5="rL0Y20xC+Fzt72VPzMSk2A==")
    for wrong in ("AWS Haha", "", "YWJyYWNhZGFicmE=", "YWJ"):
        signed("PUT", f"/{there}/k", b"bar", {"Content-MD5": wrong}).expect(400, "InvalidDigest")
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def content_that_is_not_what_was_signed_is_refused():
    there = bucket()
    signed("PUT", f"/{there}/k", b"foo", instead=b"bar").expect(400, "XAmzContentSHA256Mismatch")
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def the_length_of_an_object_has_to_be_said():
    there = bucket()
    path = presigned("PUT", f"/{there}/k")
    address = urlsplit(ENDPOINT)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert b" 411 " in answer.split(b"\r\n")[0] and b"MissingContentLength" in answer, answer[:800]


@case
def a_length_that_is_none_is_refused():
    there = bucket()
    path = presigned("PUT", f"/{there}/k")
    address = urlsplit(ENDPOINT)
    for wrong in ("-1", "abc", "1e3"):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(
                f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {wrong}\r\nConnection: close\r\n\r\n".encode()
            )
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 400"), answer[:300]


@case
def an_answer_of_100_comes_before_the_content_is_sent():
    there = bucket()
    path = presigned("PUT", f"/{there}/k")
    address = urlsplit(ENDPOINT)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        first = connection.recv(100)
        assert first.startswith(b"HTTP/1.1 100 "), first
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    same(read(there, "k"), b"abc")


@case
def no_answer_of_100_comes_to_whom_may_not_write():
    there = bucket()
    address = urlsplit(ENDPOINT)
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(
            f"PUT /{there}/k HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 403 ")


@case
def the_id_of_the_request_is_told_by_header_and_document():
    answer = signed("GET", f"/{bucket()}/k").expect(404, "NoSuchKey")
    assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>" in answer.text
    assert f"<HostId>{answer.headers['x-amz-id-2']}</HostId>" in answer.text
    assert answer.headers["content-type"].startswith("application/xml"), answer.headers


@case
def errors_name_what_they_are_about():
    there = bucket()
    answer = signed("GET", f"/{there}/a%20b").expect(404, "NoSuchKey")
    assert "<Key>a b</Key>" in answer.text, answer.text


@case
def times_are_whole_seconds_in_headers():
    there = filled("k")
    found = s3.head_object(Bucket=there, Key="k")
    now = datetime.datetime.now(datetime.timezone.utc)
    assert abs((now - found["LastModified"]).total_seconds()) < 120, found["LastModified"]
    assert headers(found)["last-modified"].endswith(" GMT")


@case
def both_styles_of_addresses_are_served():
    there = filled("a/b c")
    host = f"{there}.s3.us-east-1.amazonaws.com"
    answer = sent_to(host, "/a/b%20c")
    same((answer.status, answer.body), (200, b"a/b c"))


@case
def attributes_of_an_object_are_told():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"abc", ChecksumAlgorithm="SHA1", StorageClass="STANDARD_IA")
    wanted = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = s3.get_object_attributes(Bucket=there, Key="k", ObjectAttributes=wanted)
    same((found["ETag"], found["ObjectSize"], found["StorageClass"]), (md5(b"abc"), 3, "STANDARD_IA"))
    same(found["Checksum"], {"ChecksumSHA1": "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "ChecksumType": "FULL_OBJECT"})
    assert "ObjectParts" not in found, found
    only = s3.get_object_attributes(Bucket=there, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in only and only["ObjectSize"] == 3, only
    refused("NoSuchKey", s3.get_object_attributes, Bucket=there, Key="none", ObjectAttributes=wanted)
    refused("InvalidArgument", s3.get_object_attributes, Bucket=there, Key="k", ObjectAttributes=["Colour"])


@case
def a_key_that_ends_with_a_slash_is_a_key():
    there = bucket()
    s3.put_object(Bucket=there, Key="folder/", Body=b"")
    s3.put_object(Bucket=there, Key="folder", Body=b"file")
    same((read(there, "folder/"), read(there, "folder")), (b"", b"file"))
    s3.delete_object(Bucket=there, Key="folder")
    same(read(there, "folder/"), b"")


@case
def a_key_that_is_no_text_is_refused():
    there = bucket()
    for method in ("GET", "PUT", "DELETE"):
        same(signed(method, f"/{there}/%AE%8A-", b"x" if method == "PUT" else b"").status, 400)


@case
def append_and_select_are_not_served():
    there = filled("k")
    refused("NotImplemented", s3.put_object, Bucket=there, Key="k", Body=b"x", WriteOffsetBytes=1)
    signed("POST", f"/{there}/k?select&select-type=2", b"<SelectObjectContentRequest/>").expect(501, "NotImplemented")
    refused("NotImplemented", s3.restore_object, Bucket=there, Key="k", RestoreRequest={"Days": 1})


@case
def the_old_signature_is_refused_by_name():
    there = filled("k")
    answer = send("GET", f"/{there}/k", b"", {"Authorization": "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg="})
    answer.expect(400, "InvalidRequest")
    assert "AWS4-HMAC-SHA256" in answer.text, answer.text


run()
