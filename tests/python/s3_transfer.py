"""boto3's transfer manager, its presigned addresses and forms, and hosts that name buckets."""

import hashlib
import io
import os
import random
import socket
import ssl
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit, urlunsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from steps import client, coded, finish, same

account = sys.argv[1]
s3 = client("s3")
# For addresses the client goes by another signature of old unless it is told otherwise.
SIGNER = client("s3", settings={"signature_version": "s3v4"})
bucket = f"transfer-{account}"
MIB = 1 << 20
# Parts as small as they may be, several at a time: much of the machinery for few bytes.
SMALL_PARTS = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB, max_concurrency=4)


def content(size, seed=1):
    return random.Random(seed * 1_000_003 + size).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def same_bytes(found, expected):
    assert found == expected, f"{len(found)} bytes {digest(found)} were found, {len(expected)} {digest(expected)} were expected"


def fetched(key, **more):
    into = io.BytesIO()
    s3.download_fileobj(bucket, key, into, **more)
    return into.getvalue()


def uploads():
    return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


class Endless(io.RawIOBase):
    """A stream that cannot be wound back, as of a pipe."""

    def __init__(self, data):
        self.rest = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, into):
        return self.rest.readinto(into)


def sizes():
    """Around every size at which something is done another way: inline, in a file, in parts."""
    for size in [0, 1, 8191, 8192, 8193, 65536, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1]:
        data = content(size)
        for config in [None, SMALL_PARTS]:
            key = f"sizes/{size}"
            s3.upload_fileobj(io.BytesIO(data), bucket, key, Config=config)
            told = s3.head_object(Bucket=bucket, Key=key)
            is_in_parts = size >= (config or TransferConfig()).multipart_threshold
            same((told["ContentLength"], "-" in told["ETag"]), (size, is_in_parts))
            same_bytes(fetched(key, Config=config), data)


def files(folder):
    data = content(23 * MIB + 5)
    path = os.path.join(folder, "up")
    with open(path, "wb") as file:
        file.write(data)
    seen = []
    s3.upload_file(path, bucket, "file", Config=SMALL_PARTS, Callback=seen.append, ExtraArgs={
        "ContentType": "image/png", "Metadata": {"by": "manager"}, "StorageClass": "STANDARD_IA", "Tagging": "kind=large"})
    same(sum(seen), len(data))
    told = s3.head_object(Bucket=bucket, Key="file", PartNumber=1)
    same((told["PartsCount"], told["ContentLength"], told["ContentType"]), (5, 5 * MIB, "image/png"))
    same((told["Metadata"], told["StorageClass"], told["TagCount"]), ({"by": "manager"}, "STANDARD_IA", 1))
    back = os.path.join(folder, "down")
    s3.download_file(bucket, "file", back, Config=SMALL_PARTS)
    with open(back, "rb") as file:
        same_bytes(file.read(), data)
    s3.copy({"Bucket": bucket, "Key": "file"}, bucket, "copy", Config=SMALL_PARTS)
    told = s3.head_object(Bucket=bucket, Key="copy", PartNumber=5)
    same((told["PartsCount"], told["ContentLength"]), (5, 3 * MIB + 5))
    same_bytes(fetched("copy"), data)
    s3.upload_fileobj(Endless(data), bucket, "stream", Config=SMALL_PARTS)
    same_bytes(fetched("stream"), data)
    same(uploads(), [])


def checksums():
    data = content(11 * MIB, seed=2)
    for algorithm in ["CRC32", "SHA1", "SHA256", "SHA512"]:
        for size in [100, len(data)]:
            s3.upload_fileobj(io.BytesIO(data[:size]), bucket, "sum", Config=SMALL_PARTS, ExtraArgs={"ChecksumAlgorithm": algorithm})
            told = s3.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
            assert f"Checksum{algorithm}" in told, (algorithm, told)
            same(told["ChecksumType"], "COMPOSITE" if size > 100 else "FULL_OBJECT")
            same_bytes(fetched("sum"), data[:size])
    for setting in ["when_supported", "when_required"]:
        settings = {"request_checksum_calculation": setting, "response_checksum_validation": setting}
        other = client("s3", settings=settings)
        for size in [100, len(data)]:
            other.upload_fileobj(io.BytesIO(data[:size]), bucket, "set", Config=SMALL_PARTS)
            into = io.BytesIO()
            other.download_fileobj(bucket, "set", into, Config=SMALL_PARTS)
            same_bytes(into.getvalue(), data[:size])
    unsigned = client("s3", settings={"s3": {"payload_signing_enabled": False}})
    unsigned.put_object(Bucket=bucket, Key="unsigned", Body=io.BytesIO(data))
    same_bytes(fetched("unsigned"), data)


class Enough(Exception):
    pass


def broken_off():
    """An upload that its client gives up leaves nothing; one whose client goes away is taken up where it was."""
    data = content(12 * MIB, seed=3)
    lock, seen = threading.Lock(), []

    def give_up(count):
        with lock:
            seen.append(count)
            if sum(seen) > 6 * MIB:
                raise Enough

    try:
        s3.upload_fileobj(io.BytesIO(data), bucket, "given-up", Config=SMALL_PARTS, Callback=give_up)
        raise AssertionError("it was to be given up")
    except Enough:
        pass
    same(uploads(), [])
    with coded("404"):
        s3.head_object(Bucket=bucket, Key="given-up")

    where = {"Bucket": bucket, "Key": "taken-up"}
    pieces = {n: data[at:at + 5 * MIB] for n, at in enumerate(range(0, len(data), 5 * MIB), start=1)}
    begun = s3.create_multipart_upload(**where)["UploadId"]
    for number in [3, 1]:
        s3.upload_part(**where, UploadId=begun, PartNumber=number, Body=pieces[number])
    again = client("s3")
    (found,) = [one for one in again.list_multipart_uploads(Bucket=bucket)["Uploads"] if one["Key"] == "taken-up"]
    same(found["UploadId"], begun)
    there = {part["PartNumber"]: part["ETag"] for part in again.list_parts(**where, UploadId=begun)["Parts"]}
    for number, piece in pieces.items():
        if there.get(number) != f'"{hashlib.md5(piece).hexdigest()}"':
            there[number] = again.upload_part(**where, UploadId=begun, PartNumber=number, Body=piece)["ETag"]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(there.items())]
    again.complete_multipart_upload(**where, UploadId=begun, MultipartUpload={"Parts": parts})
    same_bytes(fetched("taken-up"), data)


def many_at_once():
    pieces = {f"many/{number:03}": content(number * 997, seed=4) for number in range(64)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]), pieces.items()))
        found = pool.map(lambda key: (key, s3.get_object(Bucket=bucket, Key=key)["Body"].read()), pieces)
        for key, data in found:
            same_bytes(data, pieces[key])
    resource = boto3.resource("s3").Bucket(bucket)
    same([item.key for item in resource.objects.filter(Prefix="many/")], sorted(pieces))
    same(len(resource.objects.filter(Prefix="many/").delete()[0]["Deleted"]), 64)


TRUST = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if "AWS_CA_BUNDLE" in os.environ else None


def asked(method, url, data=None, **headers):
    request = urllib.request.Request(url, method=method, data=data, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, context=TRUST) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def presigned():
    data = content(9_000, seed=5)
    where = {"Bucket": bucket, "Key": "pre signed/+é&=?.bin"}

    def url(operation, **more):
        return SIGNER.generate_presigned_url(operation, Params={**where, **more}, ExpiresIn=60)

    same(asked("PUT", url("put_object", ContentType="a/b"), data, Content_Type="a/b")[0], 200)
    status, headers, found = asked("GET", url("get_object"))
    same((status, headers["Content-Type"]), (200, "a/b"))
    same_bytes(found, data)
    said = {"ResponseContentDisposition": 'attachment; filename="é.bin"', "ResponseContentType": "x/y"}
    status, headers, _ = asked("GET", url("get_object", **said), Range="bytes=0-9")
    same((status, headers["Content-Type"], headers["Content-Length"]), (206, "x/y", "10"))
    same(asked("HEAD", url("head_object"))[0], 200)
    old = s3.generate_presigned_url("get_object", Params=where)
    status, _, said = asked("GET", old)
    same((status, b"Please use AWS4-HMAC-SHA256." in said), (400, True))
    # What was signed for one thing is good for nothing else.
    same(asked("PUT", url("get_object"), data)[0], 403)
    same(asked("PUT", url("put_object", ContentType="a/b"), data, Content_Type="c/d")[0], 403)
    same(asked("GET", url("get_object") + "0")[0], 403)
    same(asked("DELETE", url("delete_object"))[0], 204)
    same(asked("GET", url("get_object"))[0], 404)
    upload = s3.create_multipart_upload(**where)["UploadId"]
    status, headers, _ = asked("PUT", url("upload_part", UploadId=upload, PartNumber=1), data)
    same(status, 200)
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": headers["ETag"]}]})
    same_bytes(fetched(where["Key"]), data)


def form(fields, data, name="photo é.bin"):
    """A form with a file, as a page in a browser sends it."""
    line = "----" + digest(data)[:20]
    pieces = [f'--{line}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    file = f'--{line}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/plain\r\n\r\n'.encode()
    return b"".join([*pieces, file, data, f"\r\n--{line}--\r\n".encode()]), f"multipart/form-data; boundary={line}"


def forms():
    data = content(70_000, seed=6)

    def sent(post, data=data, **changed):
        body, kind = form({**post["fields"], **changed}, data)
        return asked("POST", post["url"], body, Content_Type=kind)

    rules = [["starts-with", "$key", "form/"], ["content-length-range", 10, 100_000], {"success_action_status": "201"},
             ["starts-with", "$Content-Type", "image/"]]
    extra = {"success_action_status": "201", "Content-Type": "image/png"}
    post = SIGNER.generate_presigned_post(bucket, "form/${filename}", Fields=extra, Conditions=rules, ExpiresIn=60)
    status, headers, answer = sent(post)
    same((status, headers["Content-Type"]), (201, "application/xml"))
    assert b"<Key>form/photo \xc3\xa9.bin</Key>" in answer, answer
    told = s3.get_object(Bucket=bucket, Key="form/photo é.bin")
    same(told["ContentType"], "image/png")
    same_bytes(told["Body"].read(), data)
    for changed, code in [({"key": "elsewhere"}, b"AccessDenied"), ({"Content-Type": "text/html"}, b"AccessDenied"),
                          ({"x-amz-signature": "0" * 64}, b"SignatureDoesNotMatch"), ({"x-amz-meta-more": "1"}, b"AccessDenied")]:
        status, _, answer = sent(post, **changed)
        same(status, 403)
        assert b"<Code>" + code + b"</Code>" in answer, answer
    for size, code in [(9, b"EntityTooSmall"), (100_001, b"EntityTooLarge")]:
        status, _, answer = sent(post, content(size))
        same(status, 400)
        assert b"<Code>" + code + b"</Code>" in answer, answer
    plain = SIGNER.generate_presigned_post(bucket, "form/plain", ExpiresIn=60)
    same(sent(plain)[0], 204)
    same_bytes(fetched("form/plain"), data)


def hosts_that_name_buckets():
    """`<bucket>.s3.localhost` and `<bucket>.localhost`, which browsers find by themselves and Python does not."""
    found = socket.getaddrinfo
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])

    def here(host, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return found(endpoint.hostname if name.endswith("localhost") else name, *rest, **more)

    socket.getaddrinfo = here
    data = content(6 * MIB, seed=7)
    try:
        for host in ["localhost", "s3.localhost"]:
            url = urlunsplit((endpoint.scheme, f"{host}:{endpoint.port}", "", "", ""))
            # The certificate is for the names that are known beforehand.
            verify = None if endpoint.scheme == "http" else False
            virtual = client("s3", settings={"s3": {"addressing_style": "virtual"}}, endpoint_url=url, verify=verify)
            hosts = []
            virtual.meta.events.register("before-send", lambda request, **_: hosts.append(urlsplit(request.url).hostname))
            virtual.upload_fileobj(io.BytesIO(data), bucket, "virtual/é +.bin", Config=SMALL_PARTS)
            into = io.BytesIO()
            virtual.download_fileobj(bucket, "virtual/é +.bin", into, Config=SMALL_PARTS)
            same_bytes(into.getvalue(), data)
            (one,) = virtual.list_objects_v2(Bucket=bucket, Prefix="virtual/")["Contents"]
            same((one["Key"], one["Size"]), ("virtual/é +.bin", len(data)))
            same(set(hosts), {f"{bucket}.{host}"})
            if endpoint.scheme == "http":
                virtual = client("s3", settings={"signature_version": "s3v4", "s3": {"addressing_style": "virtual"}}, endpoint_url=url)
                address = virtual.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "virtual/é +.bin"})
                same_bytes(asked("GET", address)[2], data)
            virtual.delete_object(Bucket=bucket, Key="virtual/é +.bin")
            same(fetched_or_none("virtual/é +.bin"), None)
    finally:
        socket.getaddrinfo = found


def fetched_or_none(key):
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    return found[0]["Key"] if found else None


def main(folder):
    s3.create_bucket(Bucket=bucket)
    sizes()
    files(folder)
    checksums()
    broken_off()
    many_at_once()
    presigned()
    forms()
    hosts_that_name_buckets()
    boto3.resource("s3", config=Config(retries={"total_max_attempts": 1})).Bucket(bucket).objects.delete()
    s3.delete_bucket(Bucket=bucket)
    finish()


main(os.environ["HOME"])
