"""Checksums: of objects and parts, verified, kept and returned; of whole objects and of parts together."""

import base64
import hashlib
import zlib

from cases import PART, bucket, case, client, declared, name, read, refused, run, s3, same, signed

POLYNOMIAL_32C = 0x82F63B78
POLYNOMIAL_64NVME = 0x9A6C9329AC4BC9B5


def reflected(polynomial, width, content):
    """A reflected cyclic redundancy check, bit by bit: slow, and independent of what is tested."""
    value = (1 << width) - 1
    for byte in content:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return value ^ ((1 << width) - 1)


def encoded(value, size):
    return base64.b64encode(value.to_bytes(size, "big")).decode()


SUMS = {
    "CRC32": lambda content: encoded(zlib.crc32(content), 4),
    "CRC32C": lambda content: encoded(reflected(POLYNOMIAL_32C, 32, content), 4),
    "CRC64NVME": lambda content: encoded(reflected(POLYNOMIAL_64NVME, 64, content), 8),
    "SHA1": lambda content: base64.b64encode(hashlib.sha1(content).digest()).decode(),
    "SHA256": lambda content: base64.b64encode(hashlib.sha256(content).digest()).decode(),
}
CONTENT = b"checked content"
# A client that adds no checksum of its own, and reads none.
plain = client(request_checksum_calculation="when_required", response_checksum_validation="when_required")


def header(algorithm):
    return f"x-amz-checksum-{algorithm.lower()}"


def member(algorithm):
    return f"Checksum{algorithm}"


@case
def a_right_checksum_of_every_kind_is_kept():
    for algorithm, sum_of in SUMS.items():
        there, right = bucket(), sum_of(CONTENT)
        answer = signed("PUT", f"/{there}/k", CONTENT, {header(algorithm): right}).expect(200)
        same((answer.headers[header(algorithm)], answer.headers["x-amz-checksum-type"]), (right, "FULL_OBJECT"))
        head = plain.head_object(Bucket=there, Key="k", ChecksumMode="ENABLED")
        same((head[member(algorithm)], head["ChecksumType"]), (right, "FULL_OBJECT"))
        got = plain.get_object(Bucket=there, Key="k", ChecksumMode="ENABLED")
        same((got["Body"].read(), got[member(algorithm)]), (CONTENT, right))


@case
def a_wrong_checksum_of_every_kind_is_refused():
    for algorithm, sum_of in SUMS.items():
        there = bucket()
        signed("PUT", f"/{there}/k", CONTENT, {header(algorithm): sum_of(b"other")}).expect(400, "BadDigest")
        refused("404", s3.head_object, Bucket=there, Key="k")


@case
def what_is_no_checksum_is_refused():
    there = bucket()
    for algorithm in SUMS:
        for wrong in ("bad", "", "AAAA", "!" * 8):
            signed("PUT", f"/{there}/k", CONTENT, {header(algorithm): wrong}).expect(400, "InvalidRequest")


@case
def two_checksums_together_are_refused():
    there = bucket()
    both = {header("CRC32"): SUMS["CRC32"](CONTENT), header("SHA1"): SUMS["SHA1"](CONTENT)}
    signed("PUT", f"/{there}/k", CONTENT, both).expect(400, "InvalidRequest")


@case
def a_checksum_and_a_digest_are_both_verified():
    there = bucket()
    digest = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
    right = {header("CRC32"): SUMS["CRC32"](CONTENT), "Content-MD5": digest}
    signed("PUT", f"/{there}/k", CONTENT, right).expect(200)
    wrong = {**right, "Content-MD5": base64.b64encode(hashlib.md5(b"").digest()).decode()}
    signed("PUT", f"/{there}/k", CONTENT, wrong).expect(400, "BadDigest")


@case
def an_object_without_a_checksum_gets_one():
    there = bucket()
    answer = signed("PUT", f"/{there}/k", CONTENT).expect(200)
    same(answer.headers[header("CRC64NVME")], SUMS["CRC64NVME"](CONTENT))
    same(plain.head_object(Bucket=there, Key="k", ChecksumMode="ENABLED")["ChecksumType"], "FULL_OBJECT")


@case
def a_checksum_is_told_to_whom_it_is_asked_by():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=CONTENT, ChecksumAlgorithm="SHA256")
    quiet = signed("GET", f"/{there}/k").expect(200)
    assert not [name for name in quiet.headers if name.startswith("x-amz-checksum")], quiet.headers
    asked = signed("GET", f"/{there}/k", b"", {"x-amz-checksum-mode": "ENABLED"}).expect(200)
    same(asked.headers[header("SHA256")], SUMS["SHA256"](CONTENT))


@case
def clients_compute_and_verify_by_default():
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        there = bucket()
        s3.put_object(Bucket=there, Key="k", Body=CONTENT, ChecksumAlgorithm=algorithm)
        same(read(there, "k", ChecksumMode="ENABLED"), CONTENT)
        same(s3.head_object(Bucket=there, Key="k", ChecksumMode="ENABLED")[member(algorithm)], SUMS[algorithm](CONTENT))


@case
def a_kind_that_there_is_not_is_refused():
    there = bucket()
    signed("PUT", f"/{there}/k", CONTENT, {"x-amz-sdk-checksum-algorithm": "CRC16"}).expect(400, "InvalidRequest")


@case
def the_later_kinds_are_verified_too():
    there = bucket()
    for known, digest in (("sha512", hashlib.sha512), ("md5", hashlib.md5)):
        right, wrong = (base64.b64encode(digest(content).digest()).decode() for content in (CONTENT, b"other"))
        answer = signed("PUT", f"/{there}/k", CONTENT, {f"x-amz-checksum-{known}": right}).expect(200)
        same(answer.headers[f"x-amz-checksum-{known}"], right)
        signed("PUT", f"/{there}/k", CONTENT, {f"x-amz-checksum-{known}": wrong}).expect(400, "BadDigest")


@case
def kinds_that_are_not_served_are_refused_by_name():
    there = bucket()
    for known, size in (("xxhash64", 8), ("xxhash3", 8), ("xxhash128", 16)):
        sum_of_nothing = base64.b64encode(b"x" * size).decode()
        answer = signed("PUT", f"/{there}/k", CONTENT, {f"x-amz-checksum-{known}": sum_of_nothing})
        answer.expect(501, "NotImplemented")
        assert "XXHASH" in answer.text, answer.text
    refused("404", s3.head_object, Bucket=there, Key="k")


def begun(**more):
    there = bucket()
    made = s3.create_multipart_upload(Bucket=there, Key="k", **more)
    return {"Bucket": there, "Key": "k", "UploadId": made["UploadId"]}, made


def in_parts(upload, algorithm, *contents):
    parts = []
    for number, content in enumerate(contents, 1):
        answer = plain.upload_part(**upload, PartNumber=number, Body=content, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": answer["ETag"], member(algorithm): answer[member(algorithm)]})
    return {"MultipartUpload": {"Parts": parts}}


def composite(algorithm, *contents):
    """The checksum of the checksums of parts."""
    raw = b"".join(base64.b64decode(SUMS[algorithm](content)) for content in contents)
    return f"{SUMS[algorithm](raw)}-{len(contents)}"


@case
def checksums_of_parts_make_a_composite_one():
    contents = (b"a" * PART, b"b" * 10)
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        upload, made = begun(ChecksumAlgorithm=algorithm)
        same((made["ChecksumAlgorithm"], made["ChecksumType"]), (algorithm, "COMPOSITE"))
        answer = plain.complete_multipart_upload(**upload, **in_parts(upload, algorithm, *contents))
        same((answer[member(algorithm)], answer["ChecksumType"]), (composite(algorithm, *contents), "COMPOSITE"))
        head = plain.head_object(Bucket=upload["Bucket"], Key="k", ChecksumMode="ENABLED")
        same((head[member(algorithm)], head["ChecksumType"]), (composite(algorithm, *contents), "COMPOSITE"))


@case
def checksums_of_parts_make_one_of_the_whole():
    contents = (b"a" * PART, b"b" * 10)
    upload, made = begun(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    same(made["ChecksumType"], "FULL_OBJECT")
    answer = plain.complete_multipart_upload(**upload, **in_parts(upload, "CRC32", *contents))
    same((answer["ChecksumCRC32"], answer["ChecksumType"]), (SUMS["CRC32"](b"".join(contents)), "FULL_OBJECT"))


@case
def the_largest_is_of_the_whole_by_default():
    contents = (b"", b"")
    upload, made = begun(ChecksumAlgorithm="CRC64NVME")
    same(made["ChecksumType"], "FULL_OBJECT")
    there = signed("PUT", f"/{upload['Bucket']}/k?partNumber=1&uploadId={upload['UploadId']}", b"abc").expect(200)
    parts = {"Parts": [{"PartNumber": 1, "ETag": there.headers["etag"]}]}
    answer = plain.complete_multipart_upload(**upload, MultipartUpload=parts)
    same(answer["ChecksumCRC64NVME"], SUMS["CRC64NVME"](b"abc"))
    assert contents


@case
def kinds_and_types_that_do_not_go_together_are_refused():
    there = bucket()
    for algorithm, kind in (("SHA1", "FULL_OBJECT"), ("SHA256", "FULL_OBJECT"), ("CRC64NVME", "COMPOSITE")):
        refused(
            "InvalidRequest", s3.create_multipart_upload, Bucket=there, Key="k", ChecksumAlgorithm=algorithm,
            ChecksumType=kind,
        )


@case
def a_wrong_checksum_of_a_part_is_refused():
    upload, _ = begun(ChecksumAlgorithm="SHA256")
    path = f"/{upload['Bucket']}/k?partNumber=1&uploadId={upload['UploadId']}"
    signed("PUT", path, CONTENT, {header("SHA256"): SUMS["SHA256"](b"x")}).expect(400, "BadDigest")
    assert "Parts" not in s3.list_parts(**upload)


@case
def a_part_has_the_kind_of_its_upload():
    upload, _ = begun(ChecksumAlgorithm="SHA256")
    path = f"/{upload['Bucket']}/k?partNumber=1&uploadId={upload['UploadId']}"
    signed("PUT", path, CONTENT, {header("CRC32"): SUMS["CRC32"](CONTENT)}).expect(400, "InvalidRequest")


@case
def the_completion_names_the_checksums_of_its_parts():
    upload, _ = begun(ChecksumAlgorithm="SHA256")
    named = in_parts(upload, "SHA256", CONTENT)
    (part,) = named["MultipartUpload"]["Parts"]
    wrong = {"Parts": [{**part, "ChecksumSHA256": SUMS["SHA256"](b"x")}]}
    refused("InvalidPart", plain.complete_multipart_upload, **upload, MultipartUpload=wrong)
    plain.complete_multipart_upload(**upload, **named)


@case
def the_checksum_of_the_whole_is_verified_at_completion():
    upload, _ = begun(ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    named = in_parts(upload, "CRC32", CONTENT)
    refused(
        "BadDigest", plain.complete_multipart_upload, **upload, **named, ChecksumCRC32=SUMS["CRC32"](b"x"),
        ChecksumType="FULL_OBJECT",
    )
    answer = plain.complete_multipart_upload(
        **upload, **named, ChecksumCRC32=SUMS["CRC32"](CONTENT), ChecksumType="FULL_OBJECT"
    )
    same(answer["ChecksumCRC32"], SUMS["CRC32"](CONTENT))


@case
def checksums_of_parts_are_listed():
    upload, _ = begun(ChecksumAlgorithm="SHA1")
    in_parts(upload, "SHA1", CONTENT)
    answer = s3.list_parts(**upload)
    same((answer["ChecksumAlgorithm"], answer["ChecksumType"]), ("SHA1", "COMPOSITE"))
    same(answer["Parts"][0]["ChecksumSHA1"], SUMS["SHA1"](CONTENT))
    (listed,) = s3.list_multipart_uploads(Bucket=upload["Bucket"])["Uploads"]
    same((listed["ChecksumAlgorithm"], listed["ChecksumType"]), ("SHA1", "COMPOSITE"))


@case
def a_part_by_its_number_has_its_own_checksum():
    contents = (b"a" * PART, CONTENT)
    upload, _ = begun(ChecksumAlgorithm="SHA256")
    plain.complete_multipart_upload(**upload, **in_parts(upload, "SHA256", *contents))
    answer = plain.get_object(Bucket=upload["Bucket"], Key="k", PartNumber=2, ChecksumMode="ENABLED")
    same(answer["Body"].read(), CONTENT)
    told = answer.get("ChecksumSHA256")
    assert told in (None, SUMS["SHA256"](CONTENT), composite("SHA256", *contents)), told


@case
def a_trailer_is_verified():
    there = bucket()

    def chunked(checksum):
        body = b"%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n" % (len(CONTENT), CONTENT, checksum.encode())
        head = {
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-trailer": "x-amz-checksum-crc32",
            "x-amz-decoded-content-length": str(len(CONTENT)), "Content-Encoding": "aws-chunked",
        }
        return declared("PUT", f"/{there}/k", body, head)

    chunked(SUMS["CRC32"](b"other")).expect(400, "BadDigest")
    refused("404", s3.head_object, Bucket=there, Key="k")
    chunked(SUMS["CRC32"](CONTENT)).expect(200)
    same(read(there, "k"), CONTENT)


run()
