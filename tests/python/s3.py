"""S3 by boto3: objects, their versions, lists of them, and uploads in parts."""

import datetime
import hashlib
import sys
from base64 import b64encode

from steps import client, coded, finish, refused, same

account = sys.argv[1]
s3 = client("s3")
bucket = f"objects-{account}"
MIB = 1 << 20


def put(key, body=b"", **more):
    return s3.put_object(Bucket=bucket, Key=key, Body=body, **more)


def body(key, **more):
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def pages(operation, *lists, **arguments):
    """How many pages there are, and for each of these lists what all of them say."""
    found = list(s3.get_paginator(operation).paginate(Bucket=bucket, **arguments))
    return len(found), *([item for page in found for item in page.get(name, [])] for name in lists)


def keys(items):
    return [item["Key"] for item in items]


def missing():
    s3.create_bucket(Bucket=bucket)
    with refused(s3.exceptions.NoSuchKey, "The specified key does not exist."):
        s3.get_object(Bucket=bucket, Key="nothing")
    with refused(s3.exceptions.NoSuchBucket, "The specified bucket does not exist"):
        s3.get_object(Bucket=f"{bucket}-not", Key="nothing")
    # An answer to HEAD has no body, and so no code.
    with coded("404", "Not Found"):
        s3.head_object(Bucket=bucket, Key="nothing")
    s3.get_waiter("object_not_exists").wait(Bucket=bucket, Key="nothing", WaiterConfig={"MaxAttempts": 1})


def contents():
    text = "Hyvää päivää, 雲\n".encode()
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    made = put("greetings/fi.txt", text, ContentType="text/plain; charset=utf-8", ContentLanguage="fi",
               CacheControl="max-age=60", ContentDisposition='attachment; filename="fi.txt"', ContentEncoding="identity",
               Expires=datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc), Metadata={"from": "here", "Mixed-Case": "A b"})
    same(made["ETag"], f'"{hashlib.md5(text).hexdigest()}"')
    same((len(made["ChecksumCRC32"]), made["ChecksumType"]), (8, "FULL_OBJECT"))
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="greetings/fi.txt", WaiterConfig={"MaxAttempts": 1})
    told = s3.head_object(Bucket=bucket, Key="greetings/fi.txt", ChecksumMode="ENABLED")
    found = s3.get_object(Bucket=bucket, Key="greetings/fi.txt")
    same(found["Body"].read(), text)
    for answer in (told, found):
        same((answer["ContentLength"], answer["ContentType"]), (len(text), "text/plain; charset=utf-8"))
        same((answer["ContentLanguage"], answer["CacheControl"]), ("fi", "max-age=60"))
        same((answer["ContentDisposition"], answer["ContentEncoding"]), ('attachment; filename="fi.txt"', "identity"))
        same(answer["ExpiresString"], "Tue, 01 Jan 2030 00:00:00 GMT")
        same(answer["Metadata"], {"from": "here", "mixed-case": "A b"})
        same((answer["ETag"], answer["AcceptRanges"]), (made["ETag"], "bytes"))
        same(answer["ChecksumCRC32"], made["ChecksumCRC32"])
        assert before <= answer["LastModified"] <= datetime.datetime.now(datetime.timezone.utc), answer["LastModified"]
    over = s3.get_object(Bucket=bucket, Key="greetings/fi.txt", ResponseContentType="text/html", ResponseCacheControl="no-store")
    same((over["ContentType"], over["CacheControl"]), ("text/html", "no-store"))


def ranges():
    put("digits", b"0123456789")
    for said, found, where in [("bytes=2-4", b"234", "bytes 2-4/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
                               ("bytes=-3", b"789", "bytes 7-9/10"), ("bytes=8-99", b"89", "bytes 8-9/10")]:
        answer = s3.get_object(Bucket=bucket, Key="digits", Range=said)
        same((answer["Body"].read(), answer["ContentRange"]), (found, where))
        same(answer["ResponseMetadata"]["HTTPStatusCode"], 206)
    with coded("InvalidRange"):
        body("digits", Range="bytes=10-")


def conditions():
    etag = put("once", b"first", IfNoneMatch="*")["ETag"]
    with coded("PreconditionFailed"):
        put("once", b"second", IfNoneMatch="*")
    with coded("PreconditionFailed"):
        put("once", b"second", IfMatch='"00000000000000000000000000000000"')
    put("once", b"second", IfMatch=etag)
    same(body("once", IfNoneMatch=etag), b"second")
    with coded("PreconditionFailed"):
        body("once", IfMatch=etag)
    newer = s3.head_object(Bucket=bucket, Key="once")
    with coded("304", "Not Modified"):
        body("once", IfNoneMatch=newer["ETag"])
    with coded("304"):
        body("once", IfModifiedSince=newer["LastModified"])


def checksums():
    for algorithm, digest in [("SHA1", hashlib.sha1), ("SHA256", hashlib.sha256), ("SHA512", hashlib.sha512)]:
        made = put(f"sums/{algorithm}", b"abc", ChecksumAlgorithm=algorithm)
        same(made[f"Checksum{algorithm}"], b64encode(digest(b"abc").digest()).decode())
        told = s3.head_object(Bucket=bucket, Key=f"sums/{algorithm}", ChecksumMode="ENABLED")
        same(told[f"Checksum{algorithm}"], made[f"Checksum{algorithm}"])
    # The client computes these with a library that it does not carry: they are sent as they were computed before.
    known = {"CRC32C": "Nks/tw==", "CRC64NVME": "BeXKuz/B+us="}
    for algorithm, value in known.items():
        same(put(f"sums/{algorithm}", b"abc", **{f"Checksum{algorithm}": value})[f"Checksum{algorithm}"], value)
    with coded("BadDigest"):
        put("sums/wrong", b"abd", ChecksumCRC32C=known["CRC32C"])
    with coded("BadDigest"):
        put("sums/wrong", b"abd", ContentMD5=b64encode(hashlib.md5(b"abc").digest()).decode())
    with coded("InvalidDigest"):
        put("sums/wrong", b"abc", ContentMD5="bm9uZQ==")
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="sums/SHA256", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"])
    same((attributes["ETag"], attributes["ObjectSize"]), (hashlib.md5(b"abc").hexdigest(), 3))
    same((attributes["StorageClass"], attributes["Checksum"]["ChecksumType"]), ("STANDARD", "FULL_OBJECT"))


def copies():
    put("from/a b+ü%41.txt", b"original", Metadata={"who": "one"}, ContentType="text/plain", Tagging="kind=first&empty=")
    source = {"Bucket": bucket, "Key": "from/a b+ü%41.txt"}
    copied = s3.copy_object(Bucket=bucket, Key="to/same", CopySource=source)["CopyObjectResult"]
    same(copied["ETag"], f'"{hashlib.md5(b"original").hexdigest()}"')
    told = s3.head_object(Bucket=bucket, Key="to/same")
    same((told["Metadata"], told["ContentType"], told["TagCount"]), ({"who": "one"}, "text/plain", 2))
    s3.copy_object(Bucket=bucket, Key="to/other", CopySource=source, MetadataDirective="REPLACE", Metadata={"who": "two"},
                   TaggingDirective="REPLACE", Tagging="kind=second", StorageClass="STANDARD_IA")
    told = s3.head_object(Bucket=bucket, Key="to/other")
    same((told["Metadata"], told["StorageClass"], told["ContentType"]), ({"who": "two"}, "STANDARD_IA", "binary/octet-stream"))
    same(body("to/other"), b"original")
    with coded("InvalidRequest", "to itself"):
        s3.copy_object(Bucket=bucket, Key="to/same", CopySource={"Bucket": bucket, "Key": "to/same"})
    with coded("PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="to/none", CopySource=source, CopySourceIfNoneMatch=copied["ETag"])
    with refused(s3.exceptions.NoSuchKey):
        s3.copy_object(Bucket=bucket, Key="to/none", CopySource={"Bucket": bucket, "Key": "from/nothing"})


def tags_and_grants():
    where = {"Bucket": bucket, "Key": "tagged"}
    put("tagged", Tagging="a=1&b=two%20words")
    same(s3.get_object_tagging(**where)["TagSet"], [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}])
    s3.put_object_tagging(**where, Tagging={"TagSet": [{"Key": "雲", "Value": "+ - = . _ : / @"}]})
    same(s3.get_object_tagging(**where)["TagSet"], [{"Key": "雲", "Value": "+ - = . _ : / @"}])
    s3.delete_object_tagging(**where)
    same(s3.get_object_tagging(**where)["TagSet"], [])
    with coded("AccessControlListNotSupported"):
        s3.put_object_acl(**where, ACL="public-read")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": False})
    s3.put_object_acl(**where, ACL="public-read")
    acl = s3.get_object_acl(**where)
    same([grant["Permission"] for grant in acl["Grants"]], ["FULL_CONTROL", "READ"])
    same(acl["Grants"][0]["Grantee"]["ID"], acl["Owner"]["ID"])


def lists():
    names = ["a", "b/1", "b/2", "b/c/3", "d e+f%g", "h\u00e4/雲", "line\nbreak", "tab\tand\x01", "z"]
    for name in names:
        put(f"list/{name}", name.encode())
    whole = sorted((f"list/{name}" for name in names), key=str.encode)
    for operation in ["list_objects_v2", "list_objects"]:
        count, found = pages(operation, "Contents", Prefix="list/", PaginationConfig={"PageSize": 2})
        same((count, keys(found)), (5, whole))
        count, found, groups = pages(operation, "Contents", "CommonPrefixes", Prefix="list/", Delimiter="/",
                                     PaginationConfig={"PageSize": 3})
        same(keys(found), [key for key in whole if "/" not in key[len("list/"):]])
        same(([group["Prefix"] for group in groups], count), (["list/b/", "list/h\u00e4/"], 3))
    after = s3.list_objects_v2(Bucket=bucket, Prefix="list/", StartAfter="list/b/2", MaxKeys=1)
    same((keys(after["Contents"]), after["IsTruncated"], after["KeyCount"]), (["list/b/c/3"], True, 1))
    (first,) = s3.list_objects_v2(Bucket=bucket, Prefix="list/a", FetchOwner=True)["Contents"]
    same((first["Size"], first["StorageClass"], first["ETag"]), (1, "STANDARD", f'"{hashlib.md5(b"a").hexdigest()}"'))
    assert first["Owner"]["ID"] and first["ChecksumAlgorithm"] == ["CRC32"], first
    for name in names:
        same(body(f"list/{name}"), name.encode())
    # A document cannot name every key that there can be.
    whole.remove("list/tab\tand\x01")
    s3.delete_object(Bucket=bucket, Key="list/tab\tand\x01")
    gone = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in whole + ["list/never"]]})
    same(sorted(keys(gone["Deleted"])), sorted(whole + ["list/never"]))
    same(s3.list_objects_v2(Bucket=bucket, Prefix="list/")["KeyCount"], 0)


def versions():
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    ids = [put("kept", text.encode())["VersionId"] for text in ["one", "two", "three"]]
    same(len(set(ids)), 3)
    same([body("kept", VersionId=one) for one in ids], [b"one", b"two", b"three"])
    marker = s3.delete_object(Bucket=bucket, Key="kept")
    same(marker["DeleteMarker"], True)
    with refused(s3.exceptions.NoSuchKey):
        body("kept")
    with coded("MethodNotAllowed"):
        body("kept", VersionId=marker["VersionId"])
    count, found, markers = pages("list_object_versions", "Versions", "DeleteMarkers", Prefix="kept",
                                  PaginationConfig={"PageSize": 2})
    same((count, [one["VersionId"] for one in found]), (2, ids[::-1]))
    same([(one["VersionId"], one["IsLatest"]) for one in markers], [(marker["VersionId"], True)])
    s3.delete_object(Bucket=bucket, Key="kept", VersionId=marker["VersionId"])
    same(body("kept"), b"three")
    every = [{"Key": "kept", "VersionId": one} for one in ids]
    same(len(s3.delete_objects(Bucket=bucket, Delete={"Objects": every, "Quiet": True}).get("Errors", [])), 0)
    with coded("NoSuchVersion"):
        body("kept", VersionId=ids[0])


def parts():
    where = {"Bucket": bucket, "Key": "large"}
    upload = {**where, "UploadId": s3.create_multipart_upload(**where, Metadata={"in": "parts"}, ChecksumAlgorithm="CRC32")["UploadId"]}
    first, last = bytes(range(256)) * (5 * MIB // 256), b"the end"
    put("source", b"<" + first + b">")
    copied = s3.upload_part_copy(
        **upload, PartNumber=1, CopySource={"Bucket": bucket, "Key": "source"}, CopySourceRange=f"bytes=1-{len(first)}")
    part = s3.upload_part(**upload, PartNumber=7, Body=last, ChecksumAlgorithm="CRC32")
    same(part["ETag"], f'"{hashlib.md5(last).hexdigest()}"')
    found = pages("list_parts", "Parts", Key="large", UploadId=upload["UploadId"], PaginationConfig={"PageSize": 1})
    same((found[0], [(one["PartNumber"], one["Size"]) for one in found[1]]), (2, [(1, 5 * MIB), (7, 7)]))
    other = s3.create_multipart_upload(Bucket=bucket, Key="large/other")["UploadId"]
    count, uploads = pages("list_multipart_uploads", "Uploads", Prefix="large", PaginationConfig={"PageSize": 1})
    same((count, [(one["Key"], one["UploadId"]) for one in uploads]), (2, [("large", upload["UploadId"]), ("large/other", other)]))
    result = copied["CopyPartResult"]
    chosen = [{"PartNumber": 1, "ETag": result["ETag"], "ChecksumCRC32": result["ChecksumCRC32"]},
              {"PartNumber": 7, "ETag": part["ETag"], "ChecksumCRC32": part["ChecksumCRC32"]}]
    with coded("InvalidPartOrder"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": chosen[::-1]})
    with coded("InvalidPart"):
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 2, "ETag": part["ETag"]}]})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": chosen})
    both = hashlib.md5(hashlib.md5(first).digest() + hashlib.md5(last).digest()).hexdigest()
    same((done["ETag"], done["Key"], done["ChecksumType"]), (f'"{both}-2"', "large", "COMPOSITE"))
    same(body("large"), first + last)
    second = s3.get_object(**where, PartNumber=2)
    same((second["Body"].read(), second["PartsCount"]), (last, 2))
    told = s3.get_object_attributes(**where, ObjectAttributes=["ObjectParts", "Checksum"])["ObjectParts"]
    same((told["TotalPartsCount"], [one["Size"] for one in told["Parts"]]), (2, [5 * MIB, 7]))
    s3.abort_multipart_upload(Bucket=bucket, Key="large/other", UploadId=other)
    with refused(s3.exceptions.NoSuchUpload):
        s3.list_parts(Bucket=bucket, Key="large/other", UploadId=other)
    small = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    both = [{"PartNumber": n, "ETag": s3.upload_part(**small, PartNumber=n, Body=b"small")["ETag"]} for n in (1, 2)]
    with coded("EntityTooSmall"):
        s3.complete_multipart_upload(**small, MultipartUpload={"Parts": both})


def endings():
    with coded("BucketNotEmpty"):
        s3.delete_bucket(Bucket=bucket)
    with coded("NotImplemented", "s3:SelectObjectContent"):
        s3.select_object_content(Bucket=bucket, Key="digits", Expression="SELECT 1", ExpressionType="SQL",
                                 InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}})
    _, versions, markers = pages("list_object_versions", "Versions", "DeleteMarkers")
    every = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions + markers]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": every})
    s3.delete_bucket(Bucket=bucket)


missing()
contents()
ranges()
conditions()
checksums()
copies()
tags_and_grants()
lists()
versions()
parts()
endings()
finish()
