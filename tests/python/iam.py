"""Every operation of IAM that is served."""

import json
import sys

from steps import client, coded, finish, refused, same

account = sys.argv[1]
iam = client("iam")
gone = iam.exceptions.NoSuchEntityException


def document(*actions):
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}],
    })


def trust(service):
    return json.dumps({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    })


def read(stored):
    """A policy document of an answer: boto3 has decoded it already."""
    return stored if isinstance(stored, dict) else json.loads(stored)


def pages(operation, key, **arguments):
    """All items of a list, taken one by one."""
    paginator = iam.get_paginator(operation)
    return [item for page in paginator.paginate(PaginationConfig={"PageSize": 1}, **arguments) for item in page[key]]


def tags_of(answer):
    return {tag["Key"]: tag["Value"] for tag in answer["Tags"]}


def users():
    tag = [{"Key": "team", "Value": "storefront"}]
    ann = iam.create_user(UserName="ann", Path="/staff/", Tags=tag)["User"]
    same(ann["Arn"], f"arn:aws:iam::{account}:user/staff/ann")
    assert ann["UserId"].startswith("AIDA") and len(ann["UserId"]) == 21, ann["UserId"]
    iam.create_user(UserName="bob")
    same(iam.get_user(UserName="ann")["User"]["UserId"], ann["UserId"])
    same(iam.get_user()["User"]["Arn"], f"arn:aws:iam::{account}:root")
    same([user["UserName"] for user in pages("list_users", "Users")], ["ann", "bob"])
    same([user["UserName"] for user in pages("list_users", "Users", PathPrefix="/staff/")], ["ann"])
    iam.tag_user(UserName="ann", Tags=[{"Key": "stage", "Value": "test"}])
    same(tags_of(iam.list_user_tags(UserName="ann")), {"team": "storefront", "stage": "test"})
    iam.untag_user(UserName="ann", TagKeys=["team"])
    same(tags_of(iam.get_user(UserName="ann")["User"]), {"stage": "test"})
    iam.update_user(UserName="bob", NewUserName="bert", NewPath="/guests/")
    same(iam.get_user(UserName="bert")["User"]["Arn"], f"arn:aws:iam::{account}:user/guests/bert")
    with refused(gone, "The user with name bob cannot be found."):
        iam.get_user(UserName="bob")
    with refused(iam.exceptions.EntityAlreadyExistsException, "User with name ann already exists."):
        iam.create_user(UserName="ann")
    with refused(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName="ANN")
    with coded("ValidationError", "userName", "[\\w+=,.@-]+"):
        iam.create_user(UserName="no blanks")


def access_keys():
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    same((key["UserName"], key["Status"], len(key["SecretAccessKey"])), ("ann", "Active", 40))
    own = client("sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    same(own.get_caller_identity()["Arn"], f"arn:aws:iam::{account}:user/staff/ann")
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    same((used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]), ("ann", "sts"))
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    with coded("InvalidClientTokenId", "The security token included in the request is invalid"):
        own.get_caller_identity()
    iam.update_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"], Status="Active")
    own.get_caller_identity()
    second = iam.create_access_key(UserName="ann")["AccessKey"]
    with refused(iam.exceptions.LimitExceededException, "Cannot exceed quota for AccessKeysPerUser: 2"):
        iam.create_access_key(UserName="ann")
    listed = pages("list_access_keys", "AccessKeyMetadata", UserName="ann")
    same({one["AccessKeyId"] for one in listed}, {key["AccessKeyId"], second["AccessKeyId"]})
    assert all("SecretAccessKey" not in one for one in listed), listed
    iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    with coded("InvalidClientTokenId"):
        own.get_caller_identity()
    with refused(gone, "cannot be found"):
        iam.delete_access_key(UserName="ann", AccessKeyId=key["AccessKeyId"])
    with refused(iam.exceptions.DeleteConflictException, "must delete access keys first"):
        iam.delete_user(UserName="ann")
    iam.delete_access_key(UserName="ann", AccessKeyId=second["AccessKeyId"])


def policies():
    made = iam.create_policy(
        PolicyName="reader", Path="/staff/", PolicyDocument=document("ecs:Describe*"), Description="reads",
        Tags=[{"Key": "team", "Value": "storefront"}],
    )["Policy"]
    arn = made["Arn"]
    same(arn, f"arn:aws:iam::{account}:policy/staff/reader")
    same((made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]), ("v1", 0, True))
    same(iam.get_policy(PolicyArn=arn)["Policy"]["Description"], "reads")
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("ecs:List*"))["PolicyVersion"]
    same((second["VersionId"], second["IsDefaultVersion"]), ("v2", False))
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v2")
    same(iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"], "v2")
    version = iam.get_policy_version(PolicyArn=arn, VersionId="v2")["PolicyVersion"]
    same(read(version["Document"]), json.loads(document("ecs:List*")))
    same({one["VersionId"] for one in pages("list_policy_versions", "Versions", PolicyArn=arn)}, {"v1", "v2"})
    with refused(iam.exceptions.DeleteConflictException, "default version"):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "stage", "Value": "test"}])
    same(tags_of(iam.list_policy_tags(PolicyArn=arn)), {"team": "storefront", "stage": "test"})
    iam.untag_policy(PolicyArn=arn, TagKeys=["team", "stage"])
    same(iam.list_policy_tags(PolicyArn=arn)["Tags"], [])
    same([one["Arn"] for one in pages("list_policies", "Policies", Scope="Local")], [arn])
    with refused(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="broken", PolicyDocument='{"Version": "2012-10-17"')
    with refused(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_policy(PolicyName="broken", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [{}]}))
    with refused(iam.exceptions.EntityAlreadyExistsException):
        iam.create_policy(PolicyName="reader", Path="/staff/", PolicyDocument=document("*"))
    with refused(gone):
        iam.get_policy(PolicyArn=f"arn:aws:iam::{account}:policy/none")
    return arn


def user_policies(arn):
    iam.attach_user_policy(UserName="ann", PolicyArn=arn)
    same([one["PolicyArn"] for one in pages("list_attached_user_policies", "AttachedPolicies", UserName="ann")], [arn])
    same(iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"], 1)
    same([one["UserName"] for one in pages("list_entities_for_policy", "PolicyUsers", PolicyArn=arn)], ["ann"])
    iam.put_user_policy(UserName="ann", PolicyName="inline", PolicyDocument=document("sts:*"))
    same(pages("list_user_policies", "PolicyNames", UserName="ann"), ["inline"])
    found = iam.get_user_policy(UserName="ann", PolicyName="inline")
    same(read(found["PolicyDocument"]), json.loads(document("sts:*")))
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName="ann")
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_user_policy(UserName="ann", PolicyName="inline")
    with refused(gone):
        iam.get_user_policy(UserName="ann", PolicyName="inline")
    iam.detach_user_policy(UserName="ann", PolicyArn=arn)
    with refused(gone):
        iam.detach_user_policy(UserName="ann", PolicyArn=arn)


def roles(arn):
    made = iam.create_role(
        RoleName="task", Path="/teams/", AssumeRolePolicyDocument=trust("ecs-tasks.amazonaws.com"),
        Description="runs tasks", MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "storefront"}],
    )["Role"]
    same(made["Arn"], f"arn:aws:iam::{account}:role/teams/task")
    assert made["RoleId"].startswith("AROA"), made["RoleId"]
    found = iam.get_role(RoleName="task")["Role"]
    same(read(found["AssumeRolePolicyDocument"]), json.loads(trust("ecs-tasks.amazonaws.com")))
    same((found["MaxSessionDuration"], found["Description"]), (7200, "runs tasks"))
    iam.update_role(RoleName="task", Description="runs", MaxSessionDuration=3600)
    same(iam.update_role_description(RoleName="task", Description="runs more")["Role"]["Description"], "runs more")
    iam.update_assume_role_policy(RoleName="task", PolicyDocument=trust("lambda.amazonaws.com"))
    found = iam.get_role(RoleName="task")["Role"]
    same(read(found["AssumeRolePolicyDocument"]), json.loads(trust("lambda.amazonaws.com")))
    same(found["MaxSessionDuration"], 3600)
    same([role["RoleName"] for role in pages("list_roles", "Roles", PathPrefix="/teams/")], ["task"])
    iam.tag_role(RoleName="task", Tags=[{"Key": "stage", "Value": "test"}])
    iam.untag_role(RoleName="task", TagKeys=["team"])
    same(tags_of(iam.list_role_tags(RoleName="task")), {"stage": "test"})

    iam.attach_role_policy(RoleName="task", PolicyArn=arn)
    same([one["PolicyName"] for one in pages("list_attached_role_policies", "AttachedPolicies", RoleName="task")], ["reader"])
    same([one["RoleName"] for one in pages("list_entities_for_policy", "PolicyRoles", PolicyArn=arn)], ["task"])
    iam.put_role_policy(RoleName="task", PolicyName="inline", PolicyDocument=document("logs:*"))
    same(pages("list_role_policies", "PolicyNames", RoleName="task"), ["inline"])
    found = iam.get_role_policy(RoleName="task", PolicyName="inline")
    same(read(found["PolicyDocument"]), json.loads(document("logs:*")))

    with refused(iam.exceptions.MalformedPolicyDocumentException):
        iam.create_role(RoleName="broken", AssumeRolePolicyDocument="{}")
    with refused(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName="task", AssumeRolePolicyDocument=trust("ec2.amazonaws.com"))
    with coded("ValidationError", "maxSessionDuration"):
        iam.update_role(RoleName="task", MaxSessionDuration=60)


def instance_profiles():
    made = iam.create_instance_profile(InstanceProfileName="host", Tags=[{"Key": "team", "Value": "a"}])["InstanceProfile"]
    same(made["Arn"], f"arn:aws:iam::{account}:instance-profile/host")
    iam.add_role_to_instance_profile(InstanceProfileName="host", RoleName="task")
    found = iam.get_instance_profile(InstanceProfileName="host")["InstanceProfile"]
    same([role["RoleName"] for role in found["Roles"]], ["task"])
    same([one["InstanceProfileName"] for one in pages("list_instance_profiles", "InstanceProfiles")], ["host"])
    listed = pages("list_instance_profiles_for_role", "InstanceProfiles", RoleName="task")
    same([one["InstanceProfileName"] for one in listed], ["host"])
    iam.tag_instance_profile(InstanceProfileName="host", Tags=[{"Key": "stage", "Value": "test"}])
    iam.untag_instance_profile(InstanceProfileName="host", TagKeys=["team"])
    same(tags_of(iam.list_instance_profile_tags(InstanceProfileName="host")), {"stage": "test"})
    with refused(iam.exceptions.LimitExceededException):
        iam.add_role_to_instance_profile(InstanceProfileName="host", RoleName="task")
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_instance_profile(InstanceProfileName="host")
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_role(RoleName="task")


def endings(arn):
    iam.remove_role_from_instance_profile(InstanceProfileName="host", RoleName="task")
    iam.delete_instance_profile(InstanceProfileName="host")
    iam.delete_role_policy(RoleName="task", PolicyName="inline")
    iam.detach_role_policy(RoleName="task", PolicyArn=arn)
    iam.delete_role(RoleName="task")
    iam.delete_policy(PolicyArn=arn)
    iam.delete_user(UserName="ann")
    iam.delete_user(UserName="bert")
    for kind, name in [("user", "ann"), ("role", "task"), ("instance_profile", "host")]:
        with refused(gone):
            getattr(iam, f"get_{kind}")(**{"".join(part.title() for part in kind.split("_")) + "Name": name})
    same(iam.list_users()["Users"], [])
    same(iam.list_policies(Scope="Local")["Policies"], [])


users()
access_keys()
policy = policies()
user_policies(policy)
roles(policy)
instance_profiles()
endings(policy)
finish()
