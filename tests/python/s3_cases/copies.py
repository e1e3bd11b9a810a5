"""Copies of objects: within a bucket and between them, of versions, with what is said of them, under conditions."""

import datetime
from cases import (
    ACCOUNT, OTHER_ACCOUNT, PART, allow, anonymous, bucket, case, filled, md5, name, other, policy, read, refused,
    run, s3, same, signed, status,
)

LONG_AGO = datetime.datetime(1994, 10, 29, 19, 43, 31, tzinfo=datetime.timezone.utc)
FAR_AHEAD = datetime.datetime(2100, 10, 29, 19, 43, 31, tzinfo=datetime.timezone.utc)
WRONG = '"00000000000000000000000000000000"'


def described(**said):
    there = bucket()
    s3.put_object(Bucket=there, Key="a", Body=b"foo", **said)
    return there


@case
def a_copy_of_every_size_is_whole():
    there = bucket()
    for content in (b"", b"x", b"y" * 8193, b"z" * (PART + 1)):
        s3.put_object(Bucket=there, Key="a", Body=content)
        answer = s3.copy_object(Bucket=there, Key="b", CopySource={"Bucket": there, "Key": "a"})
        same(answer["CopyObjectResult"]["ETag"], f'"{md5(content)}"')
        assert answer["CopyObjectResult"]["LastModified"]
        same(read(there, "b"), content)


@case
def a_copy_goes_into_another_bucket():
    one, two = filled("a"), bucket()
    s3.copy_object(Bucket=two, Key="b", CopySource=f"{one}/a")
    s3.copy_object(Bucket=two, Key="c", CopySource=f"/{one}/a")
    same((read(two, "b"), read(two, "c")), (b"a", b"a"))


@case
def a_copy_outlives_its_source():
    there = filled("a")
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")
    s3.delete_object(Bucket=there, Key="a")
    same(read(there, "b"), b"a")


@case
def odd_names_are_copied():
    odd = ["a b", "a+b", "ü/ß", "a%20b", "?versionId=x", "a?b", "a&b"]
    there = filled(*odd)
    for key in odd:
        s3.copy_object(Bucket=there, Key="c/" + key, CopySource={"Bucket": there, "Key": key})
        same(read(there, "c/" + key), key.encode())


@case
def a_copy_keeps_what_is_said():
    said = {
        "ContentType": "text/foo", "CacheControl": "no-cache", "ContentDisposition": "attachment", "ContentEncoding": "gzip",
        "ContentLanguage": "de", "Metadata": {"key1": "value1", "key2": "value2"},
    }
    there = described(**said)
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a", Metadata={"not": "taken"}, ContentType="image/x")
    found = s3.head_object(Bucket=there, Key="b")
    same({key: found[key] for key in said}, said)


@case
def a_copy_is_said_something_else_of():
    there = described(ContentType="text/foo", CacheControl="no-cache", Metadata={"key1": "value1"})
    s3.copy_object(
        Bucket=there, Key="b", CopySource=f"{there}/a", MetadataDirective="REPLACE", Metadata={"key3": "value3"},
        ContentType="audio/ogg",
    )
    found = s3.head_object(Bucket=there, Key="b")
    same((found["ContentType"], found["Metadata"], "CacheControl" in found), ("audio/ogg", {"key3": "value3"}, False))
    refused("InvalidArgument", s3.copy_object, Bucket=there, Key="b", CopySource=f"{there}/a", MetadataDirective="MIX")


@case
def a_copy_onto_itself_has_to_change_something():
    there = described()
    refused("InvalidRequest", s3.copy_object, Bucket=there, Key="a", CopySource=f"{there}/a")
    s3.copy_object(
        Bucket=there, Key="a", CopySource=f"{there}/a", MetadataDirective="REPLACE", Metadata={"foo": "bar"}
    )
    same((s3.head_object(Bucket=there, Key="a")["Metadata"], read(there, "a")), ({"foo": "bar"}, b"foo"))
    s3.copy_object(Bucket=there, Key="a", CopySource=f"{there}/a", StorageClass="STANDARD_IA")
    same(s3.head_object(Bucket=there, Key="a")["StorageClass"], "STANDARD_IA")
    s3.copy_object(Bucket=there, Key="a", CopySource=f"{there}/a", WebsiteRedirectLocation="/b")
    same(s3.head_object(Bucket=there, Key="a")["WebsiteRedirectLocation"], "/b")


@case
def a_copy_has_its_own_storage_class():
    there = described(StorageClass="STANDARD_IA")
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")
    assert "StorageClass" not in s3.head_object(Bucket=there, Key="b")
    s3.copy_object(Bucket=there, Key="c", CopySource=f"{there}/a", StorageClass="ONEZONE_IA")
    same(s3.head_object(Bucket=there, Key="c")["StorageClass"], "ONEZONE_IA")


@case
def a_copy_has_not_its_sources_redirect():
    there = described(WebsiteRedirectLocation="/x")
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")
    assert "WebsiteRedirectLocation" not in s3.head_object(Bucket=there, Key="b")


@case
def tags_are_copied_or_replaced():
    there = described(Tagging="team=a&stage=b")
    tags = lambda key: {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=there, Key=key)["TagSet"]}
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")
    same(tags("b"), {"team": "a", "stage": "b"})
    s3.copy_object(Bucket=there, Key="c", CopySource=f"{there}/a", TaggingDirective="REPLACE", Tagging="x=y")
    same(tags("c"), {"x": "y"})
    s3.copy_object(Bucket=there, Key="d", CopySource=f"{there}/a", TaggingDirective="REPLACE")
    same(tags("d"), {})
    s3.copy_object(Bucket=there, Key="e", CopySource=f"{there}/a", MetadataDirective="REPLACE")
    same(tags("e"), {"team": "a", "stage": "b"})


@case
def a_checksum_is_copied_or_another_one_made():
    there = described(ChecksumAlgorithm="SHA256")
    kept = s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")["CopyObjectResult"]
    same(kept["ChecksumSHA256"], s3.head_object(Bucket=there, Key="a", ChecksumMode="ENABLED")["ChecksumSHA256"])
    made = s3.copy_object(Bucket=there, Key="c", CopySource=f"{there}/a", ChecksumAlgorithm="CRC32C")["CopyObjectResult"]
    same((made["ChecksumCRC32C"], "ChecksumSHA256" in made), ("z8SuHQ==", False))


@case
def a_version_is_copied():
    there = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="a", Body=b"one")["VersionId"]
    two = s3.put_object(Bucket=there, Key="a", Body=b"two")["VersionId"]
    answer = s3.copy_object(Bucket=there, Key="b", CopySource={"Bucket": there, "Key": "a", "VersionId": one})
    same((read(there, "b"), answer["CopySourceVersionId"]), (b"one", one))
    assert answer["VersionId"] not in (one, two)
    same(s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")["CopySourceVersionId"], two)
    same(read(there, "b"), b"two")


@case
def an_old_version_is_copied_over_the_latest():
    there = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="a", Body=b"one")["VersionId"]
    s3.put_object(Bucket=there, Key="a", Body=b"two")
    s3.copy_object(Bucket=there, Key="a", CopySource={"Bucket": there, "Key": "a", "VersionId": one})
    same(read(there, "a"), b"one")
    same(len(s3.list_object_versions(Bucket=there)["Versions"]), 3)


@case
def a_marker_is_no_source():
    there = bucket(versioning="Enabled")
    s3.put_object(Bucket=there, Key="a", Body=b"one")
    marker = s3.delete_object(Bucket=there, Key="a")["VersionId"]
    refused("NoSuchKey", s3.copy_object, Bucket=there, Key="b", CopySource=f"{there}/a")
    refused(
        "InvalidRequest", s3.copy_object, Bucket=there, Key="b",
        CopySource={"Bucket": there, "Key": "a", "VersionId": marker},
    )


@case
def a_source_that_is_not_there_is_named():
    there = filled("a")
    refused("NoSuchBucket", s3.copy_object, Bucket=there, Key="b", CopySource=f"{name()}/a")
    refused("NoSuchKey", s3.copy_object, Bucket=there, Key="b", CopySource=f"{there}/none")
    refused("NoSuchBucket", s3.copy_object, Bucket=name(), Key="b", CopySource=f"{there}/a")
    refused(
        ("NoSuchVersion", "InvalidArgument"), s3.copy_object, Bucket=there, Key="b",
        CopySource=f"{there}/a?versionId=none",
    )


@case
def a_source_that_is_none_is_refused():
    there = filled("a")
    for wrong in ("", "a", "/", f"{there}", f"{there}/"):
        signed("PUT", f"/{there}/b", b"", {"x-amz-copy-source": wrong}).expect(400, "InvalidArgument")


@case
def conditions_on_the_source():
    there = described()
    etag = s3.head_object(Bucket=there, Key="a")["ETag"]
    of = {"Bucket": there, "Key": "b", "CopySource": f"{there}/a"}
    s3.copy_object(**of, CopySourceIfMatch=etag)
    s3.copy_object(**of, CopySourceIfNoneMatch=WRONG)
    s3.copy_object(**of, CopySourceIfModifiedSince=LONG_AGO)
    s3.copy_object(**of, CopySourceIfUnmodifiedSince=FAR_AHEAD)
    for wrong in (
        {"CopySourceIfMatch": WRONG}, {"CopySourceIfNoneMatch": etag},
        {"CopySourceIfModifiedSince": s3.head_object(Bucket=there, Key="a")["LastModified"]},
        {"CopySourceIfUnmodifiedSince": LONG_AGO},
    ):
        same(status(refused("PreconditionFailed", s3.copy_object, **of, **wrong)), 412)
    s3.copy_object(**of, CopySourceIfMatch=etag, CopySourceIfUnmodifiedSince=LONG_AGO)
    refused("PreconditionFailed", s3.copy_object, **of, CopySourceIfNoneMatch=etag, CopySourceIfModifiedSince=LONG_AGO)


@case
def what_may_not_be_read_may_not_be_copied():
    mine, theirs = filled("a"), bucket(other)
    refused("AccessDenied", other.copy_object, Bucket=theirs, Key="b", CopySource=f"{mine}/a")
    policy(mine, allow({"AWS": OTHER_ACCOUNT}, "s3:GetObject", "BUCKET/*"))
    other.copy_object(Bucket=theirs, Key="b", CopySource=f"{mine}/a")
    same(read(theirs, "b", other), b"a")
    refused("AccessDenied", s3.copy_object, Bucket=theirs, Key="c", CopySource=f"{mine}/a")


@case
def whose_the_source_is_may_be_expected():
    there = filled("a")
    of = {"Bucket": there, "Key": "b", "CopySource": f"{there}/a"}
    refused("AccessDenied", s3.copy_object, **of, ExpectedSourceBucketOwner=OTHER_ACCOUNT)
    refused("AccessDenied", s3.copy_object, **of, ExpectedBucketOwner=OTHER_ACCOUNT)
    s3.copy_object(**of, ExpectedSourceBucketOwner=ACCOUNT, ExpectedBucketOwner=ACCOUNT)


@case
def a_copy_of_an_upload_is_one_object():
    there = bucket()
    upload = s3.create_multipart_upload(Bucket=there, Key="a", Metadata={"m": "1"})["UploadId"]
    parts = []
    for number, content in ((1, b"a" * PART), (2, b"b")):
        etag = s3.upload_part(Bucket=there, Key="a", UploadId=upload, PartNumber=number, Body=content)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    s3.complete_multipart_upload(Bucket=there, Key="a", UploadId=upload, MultipartUpload={"Parts": parts})
    answer = s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a")["CopyObjectResult"]
    same(answer["ETag"], f'"{md5(b"a" * PART + b"b")}"')
    found = s3.get_object(Bucket=there, Key="b")
    same((found["Body"].read(), found["Metadata"]), (b"a" * PART + b"b", {"m": "1"}))
    refused("InvalidPartNumber", s3.get_object, Bucket=there, Key="b", PartNumber=2)


@case
def a_copy_may_be_given_grants():
    there = filled("a", acls=True, public=True)
    s3.copy_object(Bucket=there, Key="b", CopySource=f"{there}/a", ACL="public-read")
    same(read(there, "b", anonymous), b"a")
    s3.copy_object(Bucket=there, Key="c", CopySource=f"{there}/b")
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="c")


run()
