"""Preconditions: of reads, writes, deletions and completions."""

import datetime
import threading

from cases import bucket, case, client, filled, headers, md5, read, refused, run, s3, same, signed, status

LONG_AGO = datetime.datetime(1994, 10, 29, 19, 43, 31, tzinfo=datetime.timezone.utc)
FAR_AHEAD = datetime.datetime(2100, 10, 29, 19, 43, 31, tzinfo=datetime.timezone.utc)
WRONG = '"00000000000000000000000000000000"'


def made(content=b"bar"):
    there = bucket()
    return there, s3.put_object(Bucket=there, Key="k", Body=content)["ETag"]


@case
def if_match_on_reads():
    there, etag = made()
    for right in (etag, etag.strip('"'), f"{WRONG}, {etag}", "*"):
        same(read(there, "k", IfMatch=right), b"bar")
    same(status(refused("PreconditionFailed", s3.get_object, Bucket=there, Key="k", IfMatch=WRONG)), 412)
    same(status(refused("412", s3.head_object, Bucket=there, Key="k", IfMatch=WRONG)), 412)


@case
def if_none_match_on_reads():
    there, etag = made()
    same(read(there, "k", IfNoneMatch=WRONG), b"bar")
    for right in (etag, "*", f"{WRONG}, {etag}"):
        answer = refused("304", s3.get_object, Bucket=there, Key="k", IfNoneMatch=right)
        same((status(answer), headers(answer)["etag"]), (304, etag))
    refused("304", s3.head_object, Bucket=there, Key="k", IfNoneMatch=etag)


@case
def a_304_has_no_content():
    there, etag = made()
    answer = signed("GET", f"/{there}/k", b"", {"If-None-Match": etag})
    same((answer.status, answer.body), (304, b""))
    assert "last-modified" in answer.headers, answer.headers


@case
def if_modified_since_on_reads():
    there, _ = made()
    same(read(there, "k", IfModifiedSince=LONG_AGO), b"bar")
    written = s3.head_object(Bucket=there, Key="k")["LastModified"]
    same(status(refused("304", s3.get_object, Bucket=there, Key="k", IfModifiedSince=written)), 304)


@case
def if_unmodified_since_on_reads():
    there, _ = made()
    same(read(there, "k", IfUnmodifiedSince=FAR_AHEAD), b"bar")
    refused("PreconditionFailed", s3.get_object, Bucket=there, Key="k", IfUnmodifiedSince=LONG_AGO)
    written = s3.head_object(Bucket=there, Key="k")["LastModified"]
    same(read(there, "k", IfUnmodifiedSince=written), b"bar")


@case
def a_tag_counts_for_more_than_a_time():
    there, etag = made()
    same(read(there, "k", IfMatch=etag, IfUnmodifiedSince=LONG_AGO), b"bar")
    refused("304", s3.get_object, Bucket=there, Key="k", IfNoneMatch=etag, IfModifiedSince=LONG_AGO)
    same(read(there, "k", IfNoneMatch=WRONG, IfModifiedSince=FAR_AHEAD), b"bar")


@case
def a_time_that_is_none_is_passed_over():
    there, _ = made()
    signed("GET", f"/{there}/k", b"", {"If-Modified-Since": "yesterday"}).expect(200)
    signed("GET", f"/{there}/k", b"", {"If-Unmodified-Since": "yesterday"}).expect(200)


@case
def conditions_on_what_is_not_there_are_404():
    refused("NoSuchKey", s3.get_object, Bucket=bucket(), Key="k", IfMatch="*")
    refused("NoSuchKey", s3.get_object, Bucket=bucket(), Key="k", IfNoneMatch="*")


@case
def writes_where_nothing_is():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"one", IfNoneMatch="*")
    same(status(refused("PreconditionFailed", s3.put_object, Bucket=there, Key="k", Body=b"two", IfNoneMatch="*")), 412)
    same(read(there, "k"), b"one")
    s3.delete_object(Bucket=there, Key="k")
    s3.put_object(Bucket=there, Key="k", Body=b"three", IfNoneMatch="*")
    same(read(there, "k"), b"three")


@case
def writes_over_what_is_known():
    there, etag = made()
    second = s3.put_object(Bucket=there, Key="k", Body=b"zar", IfMatch=etag)["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=there, Key="k", Body=b"no", IfMatch=etag)
    same(read(there, "k"), b"zar")
    s3.put_object(Bucket=there, Key="k", Body=b"end", IfMatch=second)
    refused("NoSuchKey", s3.put_object, Bucket=there, Key="other", Body=b"no", IfMatch=second)
    refused("404", s3.head_object, Bucket=there, Key="other")


@case
def other_conditions_of_writes_are_not_served():
    there, etag = made()
    refused("NotImplemented", s3.put_object, Bucket=there, Key="k", Body=b"x", IfNoneMatch=etag)
    refused("NotImplemented", s3.put_object, Bucket=there, Key="k", Body=b"x", IfMatch=etag, IfNoneMatch="*")


@case
def a_marker_is_nothing():
    there = bucket(versioning="Enabled")
    etag = s3.put_object(Bucket=there, Key="k", Body=b"one")["ETag"]
    refused("PreconditionFailed", s3.put_object, Bucket=there, Key="k", IfNoneMatch="*")
    s3.delete_object(Bucket=there, Key="k")
    refused("NoSuchKey", s3.put_object, Bucket=there, Key="k", Body=b"no", IfMatch=etag)
    s3.put_object(Bucket=there, Key="k", Body=b"two", IfNoneMatch="*")
    same(read(there, "k"), b"two")


@case
def of_many_who_write_where_nothing_is_one_succeeds():
    there, outcomes = bucket(), []

    def write(number):
        mine = client()
        try:
            mine.put_object(Bucket=there, Key="k", Body=b"%d" % number * 1000, IfNoneMatch="*")
            outcomes.append(number)
        except mine.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            assert code in ("PreconditionFailed", "ConditionalRequestConflict"), code

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(len(outcomes), 1)
    same(read(there, "k"), b"%d" % outcomes[0] * 1000)


@case
def an_upload_is_completed_where_nothing_is():
    there, _ = made()

    def upload(key):
        made = s3.create_multipart_upload(Bucket=there, Key=key)["UploadId"]
        etag = s3.upload_part(Bucket=there, Key=key, UploadId=made, PartNumber=1, Body=b"part")["ETag"]
        return {"Bucket": there, "Key": key, "UploadId": made, "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": etag}]}}

    taken = upload("k")
    refused("PreconditionFailed", s3.complete_multipart_upload, **taken, IfNoneMatch="*")
    refused("PreconditionFailed", s3.complete_multipart_upload, **taken, IfMatch=WRONG)
    same(read(there, "k"), b"bar")
    s3.complete_multipart_upload(**taken, IfMatch=f'"{md5(b"bar")}"')
    same(read(there, "k"), b"part")
    s3.complete_multipart_upload(**upload("new"), IfNoneMatch="*")
    same(read(there, "new"), b"part")
    refused("NoSuchKey", s3.complete_multipart_upload, **upload("absent"), IfMatch=WRONG)


@case
def what_is_known_is_deleted():
    there, etag = made()
    refused("PreconditionFailed", s3.delete_object, Bucket=there, Key="k", IfMatch=WRONG)
    s3.delete_object(Bucket=there, Key="k", IfMatch=etag)
    refused("404", s3.head_object, Bucket=there, Key="k")


@case
def of_several_what_is_known_is_deleted():
    there = filled("a", "b")
    wanted = [{"Key": "a", "ETag": f'"{md5(b"a")}"'}, {"Key": "b", "ETag": WRONG}]
    answer = s3.delete_objects(Bucket=there, Delete={"Objects": wanted})
    same([item["Key"] for item in answer["Deleted"]], ["a"])
    same([(item["Key"], item["Code"]) for item in answer["Errors"]], [("b", "PreconditionFailed")])


@case
def a_form_and_a_copy_know_conditions_of_writes():
    there = filled("a", "b")
    refused("PreconditionFailed", s3.copy_object, Bucket=there, Key="b", CopySource=f"{there}/a", IfNoneMatch="*")
    s3.copy_object(Bucket=there, Key="c", CopySource=f"{there}/a", IfNoneMatch="*")
    refused("PreconditionFailed", s3.copy_object, Bucket=there, Key="b", CopySource=f"{there}/a", IfMatch=WRONG)
    same((read(there, "b"), read(there, "c")), (b"b", b"a"))


run()
