"""What the cases of S3 have together: who calls, buckets of their own, requests by hand, and how a file of cases is run.

A file is a subject, a function a case. The functions of a file that are marked with `case` run one after the other; one
that fails hinders no other. What is printed says which passed, and of those that did not, why.
"""

import base64
import hashlib
import http.client
import itertools
import json
import os
import sys
import traceback
from urllib.parse import quote, urlencode, urlsplit

import boto3
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

REGION = "us-east-1"
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
MIB = 1024 * 1024
# The least size of a part that is not the last.
PART = 5 * MIB

GIVEN = json.loads(sys.argv[1])
ACCOUNT, OTHER_ACCOUNT = GIVEN["account"], GIVEN["other"]["account"]
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"

_CASES = []
_NUMBER = itertools.count(1)


def client(key=None, region=REGION, **settings):
    """A client that tries once and leaves the judgement of inputs to the server; without a key, the account's root."""
    settings = {"retries": {"total_max_attempts": 1}, "parameter_validation": False, **settings}
    options = {} if key is None else {"aws_access_key_id": key["id"], "aws_secret_access_key": key["secret"]}
    return boto3.client("s3", region_name=region, config=Config(**settings), **options)


# The account's root, its user who may do nothing unless a bucket lets it, another account's root, and nobody.
s3 = client()
user = client(GIVEN["user"])
other = client(GIVEN["other"])
anonymous = client(signature_version=UNSIGNED)


def case(function):
    _CASES.append(function)
    return function


def run(told=None):
    """Runs the cases of the file that calls, or those whose names the arguments end with. `told` is printed, too."""
    wanted = sys.argv[2:]
    passed, failed = [], {}
    for function in _CASES:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        try:
            function()
            passed.append(name)
        except Exception as error:  # noqa: BLE001 - whatever a case ends with is told, and the next one runs
            (line, *_) = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.name == name]
            failed[name] = f"line {line}: {type(error).__name__}: {error}"
    print(json.dumps({"passed": passed, "failed": failed, **(told or {})}))


def name():
    """The name of a bucket that is not there."""
    return f"case-{ACCOUNT}-{os.getpid()}-{next(_NUMBER)}"


def bucket(by=None, *, acls=False, public=False, versioning=None, **arguments):
    """A new bucket's name. `acls` lets ACLs count, `public` takes the block of public access away."""
    by, made = by or s3, name()
    if acls:
        arguments.setdefault("ObjectOwnership", "ObjectWriter")
    by.create_bucket(Bucket=made, **arguments)
    if public:
        by.delete_public_access_block(Bucket=made)
    if versioning:
        by.put_bucket_versioning(Bucket=made, VersioningConfiguration={"Status": versioning})
    return made


def filled(*keys, by=None, **arguments):
    """A bucket with objects; each holds its own key."""
    made = bucket(by, **arguments)
    for key in keys:
        (by or s3).put_object(Bucket=made, Key=key, Body=key.encode())
    return made


def read(bucket, key, by=None, **arguments):
    return (by or s3).get_object(Bucket=bucket, Key=key, **arguments)["Body"].read()


def same(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def headers(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"]


def refused(code, call, *positional, **arguments):
    """The call must fail with this code, or with one of these; the answer's document as the client reads it."""
    codes = code if isinstance(code, tuple) else (code,)
    try:
        call(*positional, **arguments)
    except ClientError as error:
        found = error.response["Error"]["Code"]
        assert found in codes, f"{found} ({error.response['Error'].get('Message')}) and not {code}"
        return error.response
    raise AssertionError(f"it succeeded, and {code} was expected")


def keys(answer):
    return [item["Key"] for item in answer.get("Contents", [])]


def prefixes(answer):
    return [item["Prefix"] for item in answer.get("CommonPrefixes", [])]


def md5(content):
    return hashlib.md5(content).hexdigest()


def md5_64(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


class Answer:
    """An answer to a request by hand. Names of headers are in lower case."""

    def __init__(self, response):
        self.status = response.status
        self.reason = response.reason
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()
        self.text = self.body.decode("utf-8", "replace")

    @property
    def code(self):
        """The code of the error that the document tells."""
        start = self.text.find("<Code>")
        return self.text[start + 6 : self.text.find("</Code>")] if start >= 0 else ""

    def expect(self, status, code=""):
        assert (self.status, self.code) == (status, code), f"{self.status} {self.headers} {self.text[:1000]}"
        return self


def target(path, query=None):
    """A request's target: bucket and key escaped as clients escape them."""
    return quote(path, safe="/~-_.") + (("?" + urlencode(query, quote_via=quote)) if query else "")


def send(method, path, body=b"", headers=None, host=None):
    """Sends a request as it is: nothing is signed, escaped or added but Host and Content-Length."""
    address = urlsplit(ENDPOINT)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or address.netloc)
    given = dict(headers or {})
    if body is not None and not any(known.lower() in ("content-length", "transfer-encoding") for known in given):
        given["Content-Length"] = str(len(body))
    for known, value in given.items():
        connection.putheader(known, value.encode() if isinstance(value, str) else value)
    connection.endheaders(body or None)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def credentials(key=None):
    if key is None:
        key = {"id": os.environ["AWS_ACCESS_KEY_ID"], "secret": os.environ["AWS_SECRET_ACCESS_KEY"]}
    return Credentials(key["id"], key["secret"])


def signed(method, path, body=b"", headers=None, key=None, region=REGION, instead=None):
    """Sends a request that is signed and otherwise left as it is: the target has to be escaped already. `instead` is sent
    in the place of the body that is signed."""
    request = AWSRequest(method=method, url=ENDPOINT + path, data=body, headers=dict(headers or {}))
    if "x-amz-content-sha256" not in request.headers:
        request.headers["x-amz-content-sha256"] = hashlib.sha256(body or b"").hexdigest()
    S3SigV4Auth(credentials(key), "s3", region).add_auth(request)
    return send(method, path, body if instead is None else instead, dict(request.headers.items()))


def sent_to(host, path):
    """A request to read from another host, signed for that one."""
    request = AWSRequest(method="GET", url=f"http://{host}{path}", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})
    S3SigV4Auth(credentials(), "s3", REGION).add_auth(request)
    return send("GET", path, b"", dict(request.headers.items()), host=host)


def declared(method, path, body, headers):
    """Sends a body in the way that its head says in words, in the place of its hash."""
    request = AWSRequest(method=method, url=ENDPOINT + path, headers=dict(headers))
    signing = S3SigV4Auth(credentials(), "s3", REGION)
    # The signer writes that header itself.
    signing.payload = lambda _: headers["x-amz-content-sha256"]
    signing.add_auth(request)
    return send(method, path, body, dict(request.headers.items()))


def presigned(method, path, seconds=300, headers=None, key=None):
    """The target of a request that whoever has it may send."""
    request = AWSRequest(method=method, url=ENDPOINT + path, headers=dict(headers or {}))
    S3SigV4QueryAuth(credentials(key), "s3", REGION, expires=seconds).add_auth(request)
    return request.url.removeprefix(ENDPOINT)


def policy(bucket, *statements):
    """Gives the bucket a policy of these statements; `BUCKET` stands for its ARN."""
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    s3.put_bucket_policy(Bucket=bucket, Policy=document.replace("BUCKET", f"arn:aws:s3:::{bucket}"))


def allow(principal, action, resource, **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **more}


def deny(principal, action, resource, **more):
    return {**allow(principal, action, resource, **more), "Effect": "Deny"}
