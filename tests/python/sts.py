"""Every operation of STS, by its root and by those whom it lets in."""

import json
import sys
from datetime import datetime, timedelta, timezone

from steps import client, coded, finish, refused, same

account, issuer, thumbprint, token = sys.argv[1:5]
root = client("sts")
iam = client("iam")


def of(credentials):
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


me = root.get_caller_identity()
same(me["Arn"], f"arn:aws:iam::{account}:root")
same(me["UserId"], account)
same(me["Account"], account)

trust = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "sts:AssumeRole",
    }],
})
role = iam.create_role(RoleName="worker", Path="/teams/", AssumeRolePolicyDocument=trust)["Role"]
before = datetime.now(timezone.utc)
assumed = root.assume_role(RoleArn=role["Arn"], RoleSessionName="shift", DurationSeconds=900)
credentials = assumed["Credentials"]
assert credentials["AccessKeyId"].startswith("ASIA"), credentials["AccessKeyId"]
lasts = credentials["Expiration"] - before
assert timedelta(seconds=890) < lasts < timedelta(seconds=990), lasts
same(assumed["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{account}:assumed-role/worker/shift")
same(assumed["AssumedRoleUser"]["AssumedRoleId"], f"{role['RoleId']}:shift")

worker = client("sts", **of(credentials)).get_caller_identity()
same(worker["Arn"], f"arn:aws:sts::{account}:assumed-role/worker/shift")
same(worker["UserId"], f"{role['RoleId']}:shift")
same(worker["Account"], account)

session = root.get_session_token(DurationSeconds=900)["Credentials"]
same(client("sts", **of(session)).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:root")

key = iam.create_access_key(UserName=iam.create_user(UserName="ann")["User"]["UserName"])["AccessKey"]
same(root.get_access_key_info(AccessKeyId=key["AccessKeyId"])["Account"], account)
with coded("AccessDenied", "assumed-role/worker/shift is not authorized to perform: sts:GetAccessKeyInfo"):
    client("sts", **of(credentials)).get_access_key_info(AccessKeyId=credentials["AccessKeyId"])
statement = {"Effect": "Allow", "Action": "sts:GetAccessKeyInfo", "Resource": "*"}
document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=document)
own = client("sts", **of(credentials)).get_access_key_info(AccessKeyId=credentials["AccessKeyId"])
same(own["Account"], account)
ann = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
same(client("sts", **ann).get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/ann")

with coded("AccessDenied", "user/ann is not authorized to perform: sts:AssumeRole"):
    client("sts", **ann).assume_role(RoleArn=role["Arn"], RoleSessionName="shift")
with coded("AccessDenied", "not authorized to perform: sts:AssumeRole"):
    root.assume_role(RoleArn=f"arn:aws:iam::{account}:role/nobody", RoleSessionName="shift")
with coded("ValidationError", "durationSeconds", "Member must have value greater than or equal to 900"):
    root.assume_role(RoleArn=role["Arn"], RoleSessionName="shift", DurationSeconds=1)
with coded("ValidationError", "MaxSessionDuration"):
    root.assume_role(RoleArn=role["Arn"], RoleSessionName="shift", DurationSeconds=43200)
with coded("ValidationError", "roleSessionName"):
    root.assume_role(RoleArn=role["Arn"], RoleSessionName="no blanks")
with refused(root.exceptions.MalformedPolicyDocumentException):
    root.assume_role(RoleArn=role["Arn"], RoleSessionName="shift", Policy="{")
with coded("ValidationError", "1 validation error detected"):
    root.get_access_key_info(AccessKeyId="short")

# A token of an identity provider is as good as a key, and needs none.
provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["app"], ThumbprintList=[thumbprint])
by_token = json.loads(trust)
by_token["Statement"][0].update(
    Action="sts:AssumeRoleWithWebIdentity", Principal={"Federated": provider["OpenIDConnectProviderArn"]})
federated = iam.create_role(RoleName="federated", AssumeRolePolicyDocument=json.dumps(by_token))["Role"]["Arn"]
asked = {"RoleArn": federated, "RoleSessionName": "shift"}
assumed = root.assume_role_with_web_identity(**asked, WebIdentityToken=token)
same((assumed["SubjectFromWebIdentityToken"], assumed["Audience"]), ("worker", "app"))
me = client("sts", **of(assumed["Credentials"])).get_caller_identity()
same(me["Arn"], f"arn:aws:sts::{account}:assumed-role/federated/shift")
with refused(root.exceptions.InvalidIdentityTokenException):
    root.assume_role_with_web_identity(**asked, WebIdentityToken=token[:-4] + "AAAA")

# A session of a role that is gone is over, and a role of the same name does not bring it back.
iam.delete_role_policy(RoleName="worker", PolicyName="own")
iam.delete_role(RoleName="worker")
with coded("InvalidClientTokenId", "The security token included in the request is invalid"):
    client("sts", **of(credentials)).get_caller_identity()
iam.create_role(RoleName="worker", Path="/teams/", AssumeRolePolicyDocument=trust)
with coded("InvalidClientTokenId"):
    client("sts", **of(credentials)).get_caller_identity()

finish()
