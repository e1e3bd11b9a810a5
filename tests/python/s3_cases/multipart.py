"""Uploads in parts: sizes and order, parts that are copied, abortion, lists, conflicts."""

import threading

from cases import (
    MIB, PART, anonymous, bucket, case, client, filled, md5, name, other, read, refused, run, s3, same, signed,
    status,
)
import hashlib


def begun(there=None, key="k", **more):
    there = there or bucket()
    upload = s3.create_multipart_upload(Bucket=there, Key=key, **more)["UploadId"]
    return {"Bucket": there, "Key": key, "UploadId": upload}


def part(upload, number, content, **more):
    return {"PartNumber": number, "ETag": s3.upload_part(**upload, PartNumber=number, Body=content, **more)["ETag"]}


def complete(upload, *parts, **more):
    return s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(parts)}, **more)


def whole(upload, *contents):
    return complete(upload, *[part(upload, number, content) for number, content in enumerate(contents, 1)])


def tag(*contents):
    digests = b"".join(hashlib.md5(content).digest() for content in contents)
    return f'"{md5(digests)}-{len(contents)}"'


@case
def what_is_uploaded_in_parts_is_read_whole():
    contents = (b"a" * PART, b"b" * PART, b"c" * 17)
    upload = begun(ContentType="text/foo", Metadata={"foo": "bar"})
    answer = whole(upload, *contents)
    same((answer["ETag"], answer["Bucket"], answer["Key"]), (tag(*contents), upload["Bucket"], "k"))
    assert answer["Location"].endswith("/k"), answer
    found = s3.get_object(Bucket=upload["Bucket"], Key="k")
    same(found["Body"].read(), b"".join(contents))
    same((found["ETag"], found["ContentType"], found["Metadata"]), (tag(*contents), "text/foo", {"foo": "bar"}))


@case
def one_small_part_is_enough():
    for content in (b"x", b""):
        upload = begun()
        same(whole(upload, content)["ETag"], tag(content))
        same(read(upload["Bucket"], "k"), content)


@case
def sizes_around_the_least():
    for size in (PART, PART + 1, 2 * PART + 100 * 1024, 8 * MIB):
        content = b"x" * size
        upload = begun()
        pieces = [content[at : at + PART] for at in range(0, size, PART)]
        whole(upload, *pieces)
        same(s3.head_object(Bucket=upload["Bucket"], Key="k")["ContentLength"], size)


@case
def a_part_that_is_too_small_is_refused():
    upload = begun()
    parts = [part(upload, 1, b"x" * (PART - 1)), part(upload, 2, b"y")]
    answer = refused("EntityTooSmall", complete, upload, *parts)
    same(status(answer), 400)
    refused("NoSuchKey", s3.get_object, Bucket=upload["Bucket"], Key="k")
    # The upload is still there.
    complete(upload, parts[1])
    same(read(upload["Bucket"], "k"), b"y")


@case
def numbers_of_parts_may_have_gaps():
    upload = begun()
    complete(upload, part(upload, 7, b"a" * PART), part(upload, 10000, b"b"))
    same(read(upload["Bucket"], "k")[-2:], b"ab")
    refused("InvalidArgument", s3.upload_part, **begun(), PartNumber=10001, Body=b"x")
    refused("InvalidArgument", s3.upload_part, **begun(), PartNumber=0, Body=b"x")


@case
def parts_come_in_any_order_and_are_named_in_theirs():
    upload = begun()
    second, first = part(upload, 2, b"b"), part(upload, 1, b"a" * PART)
    refused("InvalidPartOrder", complete, upload, second, first)
    refused("InvalidPartOrder", complete, upload, first, first)
    complete(upload, first, second)
    same(read(upload["Bucket"], "k")[-2:], b"ab")


@case
def a_part_may_be_sent_again():
    upload = begun()
    old = part(upload, 1, b"old" * PART)
    new = part(upload, 1, b"new")
    refused("InvalidPart", complete, upload, old)
    complete(upload, new)
    same(read(upload["Bucket"], "k"), b"new")


@case
def a_part_may_be_left_out():
    upload = begun()
    part(upload, 1, b"left out")
    complete(upload, part(upload, 2, b"taken"))
    same(read(upload["Bucket"], "k"), b"taken")


@case
def a_part_that_is_not_there_is_refused():
    upload = begun()
    there = part(upload, 1, b"x")
    answer = refused("InvalidPart", complete, upload, {**there, "PartNumber": 9999})
    same(status(answer), 400)
    refused("InvalidPart", complete, upload, {**there, "ETag": '"ffffffffffffffffffffffffffffffff"'})
    complete(upload, {**there, "ETag": there["ETag"].strip('"')})


@case
def an_upload_without_parts_is_refused():
    refused("MalformedXML", complete, begun())
    upload = begun()
    part(upload, 1, b"x")
    refused("MalformedXML", complete, upload)
    signed("POST", f"/{upload['Bucket']}/k?uploadId={upload['UploadId']}", b"<x").expect(400, "MalformedXML")


@case
def an_upload_that_is_completed_twice_is_answered_twice():
    upload = begun()
    there = part(upload, 1, b"x")
    same(complete(upload, there)["ETag"], complete(upload, there)["ETag"])
    refused("NoSuchUpload", s3.upload_part, **upload, PartNumber=2, Body=b"x")


@case
def an_object_is_there_when_it_is_complete():
    upload = begun()
    there = part(upload, 1, b"x")
    refused("NoSuchKey", s3.get_object, Bucket=upload["Bucket"], Key="k")
    assert "Contents" not in s3.list_objects_v2(Bucket=upload["Bucket"])
    complete(upload, there)
    same(len(s3.list_objects_v2(Bucket=upload["Bucket"])["Contents"]), 1)


@case
def an_object_is_written_over_when_the_upload_is_complete():
    there = filled("k")
    upload = begun(there)
    made = part(upload, 1, b"new")
    same(read(there, "k"), b"k")
    complete(upload, made)
    same(read(there, "k"), b"new")


@case
def an_upload_is_aborted():
    upload = begun()
    there = part(upload, 1, b"x")
    same(status(s3.abort_multipart_upload(**upload)), 204)
    refused("NoSuchUpload", complete, upload, there)
    refused("NoSuchUpload", s3.upload_part, **upload, PartNumber=2, Body=b"x")
    refused("NoSuchUpload", s3.list_parts, **upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=upload["Bucket"])


@case
def an_upload_that_is_not_there_is_refused():
    there = bucket()
    for wrong in ("56788", "00000000-0000-0000-0000-000000000000", "x" * 300, "../../x"):
        upload = {"Bucket": there, "Key": "k", "UploadId": wrong}
        same(status(refused("NoSuchUpload", s3.abort_multipart_upload, **upload)), 404)
        refused("NoSuchUpload", s3.upload_part, **upload, PartNumber=1, Body=b"x")
        refused("NoSuchUpload", complete, upload, {"PartNumber": 1, "ETag": '"x"'})


@case
def an_upload_belongs_to_its_key_and_bucket():
    upload, elsewhere = begun(), bucket()
    refused("NoSuchUpload", s3.upload_part, **{**upload, "Key": "other"}, PartNumber=1, Body=b"x")
    refused("NoSuchUpload", s3.upload_part, **{**upload, "Bucket": elsewhere}, PartNumber=1, Body=b"x")
    refused("NoSuchUpload", s3.abort_multipart_upload, **{**upload, "Key": "other"})
    refused("NoSuchUpload", s3.list_parts, **{**upload, "Bucket": elsewhere})


@case
def several_uploads_of_a_key_do_not_disturb_each_other():
    there = bucket()
    one, two = begun(there), begun(there)
    first, second = part(one, 1, b"one"), part(two, 1, b"two")
    refused("InvalidPart", complete, one, second)
    complete(two, second)
    same(read(there, "k"), b"two")
    complete(one, first)
    same(read(there, "k"), b"one")


@case
def parts_are_sent_at_once():
    upload, made = begun(), {}
    mine = client(max_pool_connections=8)

    def send(number):
        content = bytes([number]) * PART
        made[number] = mine.upload_part(**upload, PartNumber=number, Body=content)["ETag"]

    threads = [threading.Thread(target=send, args=(number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    complete(upload, *[{"PartNumber": number, "ETag": made[number]} for number in sorted(made)])
    same(read(upload["Bucket"], "k"), b"".join(bytes([number]) * PART for number in range(1, 6)))


@case
def the_last_of_two_who_send_the_same_part_wins():
    upload, mine = begun(), client()
    outcomes = {}

    def send(content):
        outcomes[content] = mine.upload_part(**upload, PartNumber=1, Body=content * 100000)["ETag"]

    threads = [threading.Thread(target=send, args=(content,)) for content in (b"A", b"B")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (listed,) = s3.list_parts(**upload)["Parts"]
    (content,) = [content for content, etag in outcomes.items() if etag == listed["ETag"]]
    complete(upload, {"PartNumber": 1, "ETag": listed["ETag"]})
    same(read(upload["Bucket"], "k"), content * 100000)


@case
def parts_are_listed_page_by_page():
    upload = begun()
    for number in (5, 1, 3):
        part(upload, number, b"x" * number)
    pages = list(s3.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 2}))
    same([[(one["PartNumber"], one["Size"]) for one in page["Parts"]] for page in pages], [[(1, 1), (3, 3)], [(5, 5)]])
    same((pages[0]["IsTruncated"], pages[0]["NextPartNumberMarker"], pages[0]["MaxParts"]), (True, 3, 2))
    same(pages[0]["Parts"][0]["ETag"], f'"{md5(b"x")}"')
    same((pages[0]["StorageClass"], pages[0]["Key"], pages[0]["UploadId"]), ("STANDARD", "k", upload["UploadId"]))
    assert pages[0]["Initiator"]["ID"] and pages[0]["Owner"]["ID"], pages[0]
    refused("InvalidArgument", s3.list_parts, **upload, MaxParts=-1)
    after = s3.list_parts(**upload, PartNumberMarker=3)
    same([one["PartNumber"] for one in after["Parts"]], [5])


@case
def uploads_are_listed():
    there = bucket()
    made = sorted((one["Key"], one["UploadId"]) for one in [begun(there, key) for key in ("b", "a", "a")])
    answer = s3.list_multipart_uploads(Bucket=there)
    same(sorted((one["Key"], one["UploadId"]) for one in answer["Uploads"]), made)
    same([one["Key"] for one in answer["Uploads"]], ["a", "a", "b"])
    assert answer["Uploads"][0]["Initiated"] and answer["Uploads"][0]["Owner"]["ID"], answer
    same((answer["IsTruncated"], answer["MaxUploads"]), (False, 1000))


@case
def uploads_are_listed_page_by_page():
    there = bucket()
    made = [(one["Key"], one["UploadId"]) for one in [begun(there, key) for key in ("a", "a", "b", "c", "c")]]
    pages = list(s3.get_paginator("list_multipart_uploads").paginate(Bucket=there, PaginationConfig={"PageSize": 2}))
    same([len(page["Uploads"]) for page in pages], [2, 2, 1])
    found = [(one["Key"], one["UploadId"]) for page in pages for one in page["Uploads"]]
    same((sorted(found), len(set(found))), (sorted(made), 5))
    same(pages[0]["NextKeyMarker"], "a")


@case
def uploads_are_rolled_up():
    there = bucket()
    for key in ("a/1", "a/2", "b", "c/1"):
        begun(there, key)
    answer = s3.list_multipart_uploads(Bucket=there, Delimiter="/")
    same([one["Key"] for one in answer["Uploads"]], ["b"])
    same([one["Prefix"] for one in answer["CommonPrefixes"]], ["a/", "c/"])
    answer = s3.list_multipart_uploads(Bucket=there, Prefix="a/")
    same([one["Key"] for one in answer["Uploads"]], ["a/1", "a/2"])
    answer = s3.list_multipart_uploads(Bucket=there, KeyMarker="a/2")
    same([one["Key"] for one in answer["Uploads"]], ["b", "c/1"])


@case
def a_number_of_uploads_that_is_none_is_refused():
    there = bucket()
    for wrong in ("-1", "x"):
        signed("GET", f"/{there}?uploads&max-uploads={wrong}").expect(400, "InvalidArgument")


@case
def a_part_is_copied():
    source = bucket()
    content = bytes(range(256)) * (PART // 256 + 1)
    s3.put_object(Bucket=source, Key="s", Body=content)
    upload = begun()
    one = s3.upload_part_copy(**upload, PartNumber=1, CopySource=f"{source}/s", CopySourceRange=f"bytes=0-{PART - 1}")
    two = s3.upload_part_copy(**upload, PartNumber=2, CopySource=f"{source}/s", CopySourceRange="bytes=3-10")
    same(one["CopyPartResult"]["ETag"], f'"{md5(content[:PART])}"')
    complete(upload, *[{"PartNumber": n, "ETag": it["CopyPartResult"]["ETag"]} for n, it in ((1, one), (2, two))])
    same(read(upload["Bucket"], "k"), content[:PART] + content[3:11])


@case
def all_of_an_object_is_copied_as_a_part():
    source, upload = filled("a b/ü"), begun()
    made = s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": source, "Key": "a b/ü"})
    complete(upload, {"PartNumber": 1, "ETag": made["CopyPartResult"]["ETag"]})
    same(read(upload["Bucket"], "k"), "a b/ü".encode())


@case
def a_range_of_a_source_has_to_be_in_it():
    source, upload = filled("source"), begun()
    of = {**upload, "PartNumber": 1, "CopySource": f"{source}/source"}
    for wrong in ("bytes=0-21", "bytes=6-7"):
        answer = refused(("InvalidArgument", "InvalidRange"), s3.upload_part_copy, **of, CopySourceRange=wrong)
        assert status(answer) in (400, 416), answer
    for wrong in ("0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5", "bytes=-2", "bytes=2-"):
        refused("InvalidArgument", s3.upload_part_copy, **of, CopySourceRange=wrong)


@case
def a_version_is_copied_as_a_part():
    source = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=source, Key="s", Body=b"one")["VersionId"]
    s3.put_object(Bucket=source, Key="s", Body=b"two")
    upload = begun()
    made = s3.upload_part_copy(**upload, PartNumber=1, CopySource={"Bucket": source, "Key": "s", "VersionId": one})
    same(made["CopySourceVersionId"], one)
    complete(upload, {"PartNumber": 1, "ETag": made["CopyPartResult"]["ETag"]})
    same(read(upload["Bucket"], "k"), b"one")


@case
def conditions_on_the_source_of_a_part():
    source, upload = filled("s"), begun()
    of = {**upload, "PartNumber": 1, "CopySource": f"{source}/s"}
    etag = s3.head_object(Bucket=source, Key="s")["ETag"]
    s3.upload_part_copy(**of, CopySourceIfMatch=etag)
    refused("PreconditionFailed", s3.upload_part_copy, **of, CopySourceIfMatch='"x"')
    refused("PreconditionFailed", s3.upload_part_copy, **of, CopySourceIfNoneMatch=etag)


@case
def what_may_not_be_read_is_no_part():
    mine, theirs = filled("a"), bucket(other)
    upload = other.create_multipart_upload(Bucket=theirs, Key="k")["UploadId"]
    refused(
        "AccessDenied", other.upload_part_copy, Bucket=theirs, Key="k", UploadId=upload, PartNumber=1,
        CopySource=f"{mine}/a",
    )


@case
def strangers_do_nothing_with_an_upload():
    upload = begun()
    there = part(upload, 1, b"x")
    for by in (other, anonymous):
        refused("AccessDenied", by.upload_part, **upload, PartNumber=1, Body=b"y")
        refused("AccessDenied", by.list_parts, **upload)
        refused("AccessDenied", by.abort_multipart_upload, **upload)
        refused("AccessDenied", by.complete_multipart_upload, **upload, MultipartUpload={"Parts": [there]})
        refused("AccessDenied", by.list_multipart_uploads, Bucket=upload["Bucket"])
        refused("AccessDenied", by.create_multipart_upload, Bucket=upload["Bucket"], Key="k")
    complete(upload, there)


@case
def an_upload_into_a_versioned_bucket_is_a_version():
    there = bucket(versioning="Enabled")
    first = s3.put_object(Bucket=there, Key="k", Body=b"old")["VersionId"]
    answer = whole(begun(there), b"new")
    assert answer["VersionId"] != first
    same((read(there, "k"), read(there, "k", VersionId=first)), (b"new", b"old"))


@case
def an_upload_has_tags_and_a_class():
    upload = begun(Tagging="a=b", StorageClass="STANDARD_IA")
    same(s3.list_parts(**upload)["StorageClass"], "STANDARD_IA")
    whole(upload, b"x")
    same(s3.get_object_tagging(Bucket=upload["Bucket"], Key="k")["TagSet"], [{"Key": "a", "Value": "b"}])
    same(s3.head_object(Bucket=upload["Bucket"], Key="k")["StorageClass"], "STANDARD_IA")


@case
def the_size_of_the_whole_may_be_said():
    upload = begun()
    there = part(upload, 1, b"abc")
    refused("InvalidRequest", complete, upload, there, MpuObjectSize=4)
    complete(upload, there, MpuObjectSize=3)
    same(read(upload["Bucket"], "k"), b"abc")


@case
def an_upload_into_a_bucket_that_is_not_there_is_refused():
    refused("NoSuchBucket", s3.create_multipart_upload, Bucket=name(), Key="k")


@case
def parts_of_an_object_are_told():
    upload = begun(ChecksumAlgorithm="SHA256")
    made = []
    for number, content in ((1, b"a" * PART), (2, b"b")):
        answer = s3.upload_part(**upload, PartNumber=number, Body=content, ChecksumAlgorithm="SHA256")
        made.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": answer["ChecksumSHA256"]})
    complete(upload, *made)
    told = s3.get_object_attributes(
        Bucket=upload["Bucket"], Key="k", ObjectAttributes=["ObjectParts", "ETag"], MaxParts=1
    )
    parts = told["ObjectParts"]
    same((parts["TotalPartsCount"], parts["MaxParts"], parts["IsTruncated"], parts["NextPartNumberMarker"]), (2, 1, True, 1))
    (first,) = parts["Parts"]
    same((first["PartNumber"], first["Size"], first["ChecksumSHA256"]), (1, PART, made[0]["ChecksumSHA256"]))
    rest = s3.get_object_attributes(
        Bucket=upload["Bucket"], Key="k", ObjectAttributes=["ObjectParts"], PartNumberMarker=1
    )["ObjectParts"]
    same(([one["PartNumber"] for one in rest["Parts"]], rest["IsTruncated"]), ([2], False))


run()
