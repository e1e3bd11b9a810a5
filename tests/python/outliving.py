"""A user's key, a role, its session and a page token: made before the server was killed, used afterwards."""

import json
import sys

from steps import client, coded, same

step, account = sys.argv[1:3]
iam, sts, ecs = client("iam"), client("sts"), client("ecs")


def of(key):
    return {
        "aws_access_key_id": key["AccessKeyId"],
        "aws_secret_access_key": key["SecretAccessKey"],
        "aws_session_token": key.get("SessionToken"),
    }


if step == "make":
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    statement = {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust)["Role"]
    session = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="shift")["Credentials"]
    for name in ["one", "two"]:
        ecs.create_cluster(clusterName=name)
    page = ecs.list_clusters(maxResults=1)
    known = {"key": key, "session": session, "token": page["nextToken"], "first": page["clusterArns"]}
    print(json.dumps(known, default=str))
else:
    known = json.loads(sys.argv[3])
    same(client("sts", **of(known["key"])).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/ann")
    worker = client("sts", **of(known["session"])).get_caller_identity()
    same(worker["Arn"], f"arn:aws:sts::{account}:assumed-role/worker/shift")
    rest = ecs.list_clusters(maxResults=1, nextToken=known["token"])["clusterArns"]
    same(sorted(known["first"] + rest), [f"arn:aws:ecs:us-east-1:{account}:cluster/{name}" for name in ["one", "two"]])
    iam.delete_access_key(UserName="ann", AccessKeyId=known["key"]["AccessKeyId"])
    with coded("InvalidClientTokenId"):
        client("sts", **of(known["key"])).get_caller_identity()
    print("{}")
