"""An operation that is not served, asked for by a client that would try again."""

import json

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from steps import same

ecs = boto3.client("ecs", config=Config(retries={"mode": "standard", "total_max_attempts": 4}))
attempts = []
ecs.meta.events.register("before-send", lambda **_: attempts.append(1))
try:
    ecs.list_services(cluster="shop")
except ClientError as error:
    same(error.response["Error"]["Code"], "NotImplemented")
    same(error.response["ResponseMetadata"]["HTTPStatusCode"], 501)
    assert "ecs:ListServices" in error.response["Error"]["Message"], error
else:
    raise AssertionError("the call succeeded")
print(json.dumps({"attempts": len(attempts)}))
