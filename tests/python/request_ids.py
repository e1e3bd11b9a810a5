"""The request ids that a program sees: of an answer of each protocol, and of an error."""

import json

from botocore.exceptions import ClientError
from steps import client

ids = {
    "GetCallerIdentity": client("sts").get_caller_identity()["ResponseMetadata"]["RequestId"],
    "ListAccountSettings": client("ecs").list_account_settings()["ResponseMetadata"]["RequestId"],
}
try:
    client("iam").get_role(RoleName="nobody")
except ClientError as error:
    ids["GetRole"] = error.response["ResponseMetadata"]["RequestId"]
print(json.dumps(ids))
