"""Reading parts of an object: ranges of bytes, and parts by their numbers."""

from cases import PART, bucket, case, client, headers, name, refused, run, s3, same, signed, status

CONTENT = b"testcontent"


def made(content=CONTENT):
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=content)
    return there


def ranged(there, wanted):
    """The content of a range, its place, and the status."""
    answer = s3.get_object(Bucket=there, Key="k", Range=wanted)
    content = answer["Body"].read()
    same(answer["ContentLength"], len(content))
    return content, answer.get("ContentRange"), status(answer)


@case
def a_range_in_the_middle():
    same(ranged(made(), "bytes=4-7"), (CONTENT[4:8], "bytes 4-7/11", 206))


@case
def one_byte():
    same(ranged(made(), "bytes=0-0"), (b"t", "bytes 0-0/11", 206))
    same(ranged(made(), "bytes=10-10"), (b"t", "bytes 10-10/11", 206))


@case
def all_but_the_first_bytes():
    same(ranged(made(), "bytes=4-"), (CONTENT[4:], "bytes 4-10/11", 206))
    same(ranged(made(), "bytes=0-"), (CONTENT, "bytes 0-10/11", 206))


@case
def the_last_bytes():
    same(ranged(made(), "bytes=-7"), (CONTENT[-7:], "bytes 4-10/11", 206))
    same(ranged(made(), "bytes=-100"), (CONTENT, "bytes 0-10/11", 206))


@case
def a_range_beyond_the_end_is_cut():
    same(ranged(made(), "bytes=8-4000"), (CONTENT[8:], "bytes 8-10/11", 206))
    same(ranged(made(), "bytes=8-99999999999999999999"), (CONTENT[8:], "bytes 8-10/11", 206))


@case
def a_range_of_a_large_object():
    content = bytes(range(256)) * 32768
    there = made(content)
    same(ranged(there, "bytes=3145728-5242880"), (content[3145728:5242881], "bytes 3145728-5242880/8388608", 206))
    same(ranged(there, "bytes=-1"), (content[-1:], "bytes 8388607-8388607/8388608", 206))


@case
def a_range_that_has_nothing_is_refused():
    there = made()
    for wrong in ("bytes=40-50", "bytes=11-", "bytes=-0"):
        answer = signed("GET", f"/{there}/k", b"", {"Range": wrong}).expect(416, "InvalidRange")
        same(answer.headers["content-range"], "bytes */11")
        assert "<ActualObjectSize>11</ActualObjectSize>" in answer.text, answer.text


@case
def no_range_is_in_an_empty_object():
    there = made(b"")
    for wrong in ("bytes=40-50", "bytes=0-0", "bytes=0-"):
        refused("InvalidRange", s3.get_object, Bucket=there, Key="k", Range=wrong)


@case
def what_is_no_range_is_passed_over():
    there = made()
    for odd in ("bytes=", "bytes=a-b", "bytes=7-4", "characters=0-1", "0-1", "bytes=1-2,4-5", "bytes 0-1"):
        answer = signed("GET", f"/{there}/k", b"", {"Range": odd}).expect(200)
        same((answer.body, "content-range" in answer.headers), (CONTENT, False))


@case
def head_knows_ranges():
    there = made()
    answer = s3.head_object(Bucket=there, Key="k", Range="bytes=4-7")
    same((status(answer), answer["ContentLength"], headers(answer)["content-range"]), (206, 4, "bytes 4-7/11"))
    refused("416", s3.head_object, Bucket=there, Key="k", Range="bytes=40-50")


@case
def ranges_are_said_to_be_served():
    there = made()
    same(s3.get_object(Bucket=there, Key="k")["AcceptRanges"], "bytes")
    same(s3.head_object(Bucket=there, Key="k")["AcceptRanges"], "bytes")


@case
def a_range_keeps_what_is_said_of_the_whole():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=CONTENT, Metadata={"a": "b"}, ContentType="text/plain")
    whole, part = s3.head_object(Bucket=there, Key="k"), s3.get_object(Bucket=there, Key="k", Range="bytes=1-2")
    for said in ("ETag", "Metadata", "ContentType", "LastModified"):
        same(part[said], whole[said])


@case
def a_range_has_not_the_checksum_of_the_whole():
    there = made()
    checks = client(response_checksum_validation="when_supported")
    answer = checks.get_object(Bucket=there, Key="k", Range="bytes=1-2", ChecksumMode="ENABLED")
    same(answer["Body"].read(), CONTENT[1:3])
    assert not [name for name in headers(answer) if name.startswith("x-amz-checksum-crc")], headers(answer)


@case
def a_range_under_a_condition():
    there = made()
    etag = s3.head_object(Bucket=there, Key="k")["ETag"]
    same(s3.get_object(Bucket=there, Key="k", Range="bytes=0-1", IfMatch=etag)["Body"].read(), b"te")
    refused("PreconditionFailed", s3.get_object, Bucket=there, Key="k", Range="bytes=0-1", IfMatch='"x"')
    refused("PreconditionFailed", s3.get_object, Bucket=there, Key="k", Range="bytes=90-91", IfMatch='"x"')


def in_parts(*contents):
    there = bucket()
    upload = s3.create_multipart_upload(Bucket=there, Key="k")["UploadId"]
    parts = []
    for number, content in enumerate(contents, 1):
        etag = s3.upload_part(Bucket=there, Key="k", UploadId=upload, PartNumber=number, Body=content)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(Bucket=there, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    return there


@case
def a_part_by_its_number():
    there = in_parts(b"a" * PART, b"b" * 100)
    first = s3.get_object(Bucket=there, Key="k", PartNumber=1)
    same((status(first), first["ContentLength"], first["PartsCount"]), (206, PART, 2))
    same(first["ContentRange"], f"bytes 0-{PART - 1}/{PART + 100}")
    second = s3.get_object(Bucket=there, Key="k", PartNumber=2)
    same((second["Body"].read(), second["PartsCount"]), (b"b" * 100, 2))
    head = s3.head_object(Bucket=there, Key="k", PartNumber=2)
    same((head["ContentLength"], head["PartsCount"]), (100, 2))
    assert head["ETag"].endswith('-2"'), head


@case
def a_range_across_parts():
    there = in_parts(b"a" * PART, b"b" * 100)
    same(ranged(there, f"bytes={PART - 2}-{PART + 1}")[0], b"aabb")
    same(ranged(there, "bytes=-101")[0], b"a" + b"b" * 100)


@case
def a_part_that_is_not_there_is_refused():
    there = in_parts(b"b" * 100)
    same(status(refused("InvalidPartNumber", s3.get_object, Bucket=there, Key="k", PartNumber=2)), 416)
    refused("416", s3.head_object, Bucket=there, Key="k", PartNumber=2)
    for wrong in (0, 10001, -1):
        refused("InvalidArgument", s3.get_object, Bucket=there, Key="k", PartNumber=wrong)


@case
def an_object_that_was_put_at_once_is_its_first_part():
    there = made()
    answer = s3.get_object(Bucket=there, Key="k", PartNumber=1)
    same((answer["Body"].read(), status(answer), "PartsCount" in answer), (CONTENT, 206, False))
    refused("InvalidPartNumber", s3.get_object, Bucket=there, Key="k", PartNumber=2)


@case
def a_part_and_a_range_together_are_refused():
    there = made()
    refused("InvalidRequest", s3.get_object, Bucket=there, Key="k", PartNumber=1, Range="bytes=0-1")


run()
