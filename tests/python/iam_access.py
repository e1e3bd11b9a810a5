"""IAM, what decides over access: groups, boundaries, providers of identities, simulations, what an account has."""

import json
import sys
import time

from steps import client, coded, finish, refused, same

account = sys.argv[1]
iam = client("iam")
gone = iam.exceptions.NoSuchEntityException
arn = f"arn:aws:iam::{account}"
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def document(effect, *actions, **more):
    statement = {"Effect": effect, "Action": list(actions), "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def pages(operation, key, size=1, **arguments):
    """All items of a list, taken few by few."""
    paginator = iam.get_paginator(operation)
    return [item for page in paginator.paginate(PaginationConfig={"PageSize": size}, **arguments) for item in page[key]]


def groups():
    staff = iam.create_group(GroupName="staff", Path="/teams/")["Group"]
    same(staff["Arn"], f"{arn}:group/teams/staff")
    assert staff["GroupId"].startswith("AGPA"), staff
    iam.create_group(GroupName="guests")
    with refused(iam.exceptions.EntityAlreadyExistsException):
        iam.create_group(GroupName="STAFF")
    iam.update_group(GroupName="guests", NewGroupName="visitors")
    same([group["GroupName"] for group in pages("list_groups", "Groups")], ["staff", "visitors"])
    same([group["GroupName"] for group in pages("list_groups", "Groups", PathPrefix="/teams/")], ["staff"])
    for name in ["ann", "bob"]:
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
    same([user["UserName"] for user in pages("get_group", "Users", GroupName="staff")], ["ann", "bob"])
    same([group["GroupName"] for group in pages("list_groups_for_user", "Groups", UserName="ann")], ["staff"])
    iam.remove_user_from_group(GroupName="staff", UserName="bob")
    same(pages("list_groups_for_user", "Groups", UserName="bob"), [])
    with refused(gone, "The group with name nobody cannot be found."):
        iam.add_user_to_group(GroupName="nobody", UserName="ann")
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName="ann")

    iam.put_group_policy(GroupName="staff", PolicyName="queues", PolicyDocument=document("Allow", "sqs:*"))
    same(pages("list_group_policies", "PolicyNames", GroupName="staff"), ["queues"])
    same(iam.get_group_policy(GroupName="staff", PolicyName="queues")["PolicyDocument"]["Statement"][0]["Action"], ["sqs:*"])
    iam.attach_group_policy(GroupName="staff", PolicyArn=READ_ONLY)
    attached = pages("list_attached_group_policies", "AttachedPolicies", GroupName="staff")
    same(attached, [{"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}])
    same([group["GroupName"] for group in pages("list_entities_for_policy", "PolicyGroups", PolicyArn=READ_ONLY)], ["staff"])
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_group(GroupName="staff")


def boundaries():
    limit = iam.create_policy(PolicyName="limit", PolicyDocument=document("Allow", "logs:*"))["Policy"]["Arn"]
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": limit}
    iam.put_user_permissions_boundary(UserName="ann", PermissionsBoundary=limit)
    same(iam.get_user(UserName="ann")["User"]["PermissionsBoundary"], boundary)
    same(iam.get_policy(PolicyArn=limit)["Policy"]["PermissionsBoundaryUsageCount"], 1)
    with refused(iam.exceptions.DeleteConflictException):
        iam.delete_policy(PolicyArn=limit)
    trust = document("Allow", "sts:AssumeRole")
    trust = json.loads(trust)
    del trust["Statement"][0]["Resource"]
    trust["Statement"][0]["Principal"] = {"AWS": account}
    made = iam.create_role(RoleName="bound", AssumeRolePolicyDocument=json.dumps(trust), PermissionsBoundary=limit)["Role"]
    same(made["PermissionsBoundary"], boundary)
    iam.delete_role_permissions_boundary(RoleName="bound")
    assert "PermissionsBoundary" not in iam.get_role(RoleName="bound")["Role"]
    iam.put_role_permissions_boundary(RoleName="bound", PermissionsBoundary=limit)
    used = iam.list_entities_for_policy(PolicyArn=limit, PolicyUsageFilter="PermissionsBoundary")
    same(([one["UserName"] for one in used["PolicyUsers"]], [one["RoleName"] for one in used["PolicyRoles"]]), (["ann"], ["bound"]))


def decisions(answer):
    return {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}


def simulations():
    actions = ["sqs:SendMessage", "logs:GetLogEvents", "ecs:CreateCluster"]
    found = iam.simulate_principal_policy(PolicySourceArn=f"{arn}:user/ann", ActionNames=actions)
    same(decisions(found), {"sqs:SendMessage": "implicitDeny", "logs:GetLogEvents": "allowed", "ecs:CreateCluster": "implicitDeny"})
    by_action = {result["EvalActionName"]: result for result in found["EvaluationResults"]}
    same(by_action["sqs:SendMessage"]["PermissionsBoundaryDecisionDetail"], {"AllowedByPermissionsBoundary": False})
    assert by_action["logs:GetLogEvents"]["MatchedStatements"], by_action
    iam.delete_user_permissions_boundary(UserName="ann")
    found = iam.simulate_principal_policy(PolicySourceArn=f"{arn}:user/ann", ActionNames=actions)
    same(decisions(found), {"sqs:SendMessage": "allowed", "logs:GetLogEvents": "allowed", "ecs:CreateCluster": "implicitDeny"})

    by_tag = document("Allow", "ecs:*", Condition={"StringEquals": {"aws:PrincipalTag/team": "blue"}})
    deny = document("Deny", "ecs:Delete*")
    team = {"ContextKeyName": "aws:PrincipalTag/team", "ContextKeyValues": ["blue"], "ContextKeyType": "string"}
    custom = {"PolicyInputList": [by_tag, deny], "ActionNames": ["ecs:CreateCluster", "ecs:DeleteCluster"]}
    same(decisions(iam.simulate_custom_policy(**custom, ContextEntries=[team])),
         {"ecs:CreateCluster": "allowed", "ecs:DeleteCluster": "explicitDeny"})
    found = iam.simulate_custom_policy(**custom)
    same(decisions(found)["ecs:CreateCluster"], "implicitDeny")
    assert "aws:PrincipalTag/team" in found["EvaluationResults"][0]["MissingContextValues"], found
    same(len(pages("simulate_custom_policy", "EvaluationResults", **custom)), 2)
    keys = iam.get_context_keys_for_custom_policy(PolicyInputList=[by_tag])["ContextKeyNames"]
    same(keys, ["aws:PrincipalTag/team"])
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=by_tag)
    same(iam.get_context_keys_for_principal_policy(PolicySourceArn=f"{arn}:user/bob")["ContextKeyNames"], keys)
    iam.delete_user_policy(UserName="bob", PolicyName="own")


def providers():
    thumbprint = "a" * 40
    made = iam.create_open_id_connect_provider(
        Url="https://id.example.com/realm", ClientIDList=["app"], ThumbprintList=[thumbprint],
        Tags=[{"Key": "team", "Value": "storefront"}],
    )["OpenIDConnectProviderArn"]
    same(made, f"{arn}:oidc-provider/id.example.com/realm")
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=made, ClientID="second")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=made, ThumbprintList=["b" * 40])
    found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made)
    same((found["Url"], sorted(found["ClientIDList"]), found["ThumbprintList"]),
         ("id.example.com/realm", ["app", "second"], ["b" * 40]))
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=made, ClientID="app")
    same(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made)["ClientIDList"], ["second"])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=made, Tags=[{"Key": "stage", "Value": "test"}])
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=made, TagKeys=["team"])
    same(iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=made)["Tags"], [{"Key": "stage", "Value": "test"}])
    same(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"], [{"Arn": made}])
    with refused(iam.exceptions.EntityAlreadyExistsException):
        iam.create_open_id_connect_provider(Url="https://id.example.com/realm", ThumbprintList=[thumbprint])
    with coded("ValidationError"):
        iam.create_open_id_connect_provider(Url="ftp://id.example.com", ThumbprintList=[thumbprint])
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=made)
    with refused(gone):
        iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made)


def the_account():
    alias = f"shop-{account}"
    iam.create_account_alias(AccountAlias=alias)
    same(iam.list_account_aliases()["AccountAliases"], [alias])
    iam.delete_account_alias(AccountAlias=alias)
    same(iam.list_account_aliases()["AccountAliases"], [])
    summary = iam.get_account_summary()["SummaryMap"]
    same((summary["Users"], summary["Groups"], summary["Policies"]), (2, 2, 1))
    found = {key: pages("get_account_authorization_details", key, size=2) for key in
             ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")}
    ann = next(user for user in found["UserDetailList"] if user["UserName"] == "ann")
    same(ann["GroupList"], ["staff"])
    staff = next(group for group in found["GroupDetailList"] if group["GroupName"] == "staff")
    same([policy["PolicyName"] for policy in staff["AttachedManagedPolicies"]], ["ReadOnlyAccess"])
    same({policy["PolicyName"] for policy in found["Policies"]}, {"limit", "ReadOnlyAccess"})

    role = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    same(role["Arn"], f"{arn}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
    with coded("UnmodifiableEntity"):
        iam.delete_role(RoleName="AWSServiceRoleForECS")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForECS")["DeletionTaskId"]
    while True:
        status = iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"]
        if status not in ("NOT_STARTED", "IN_PROGRESS"):
            break
        time.sleep(0.02)
    same(status, "SUCCEEDED")


def endings():
    iam.detach_group_policy(GroupName="staff", PolicyArn=READ_ONLY)
    iam.delete_group_policy(GroupName="staff", PolicyName="queues")
    iam.remove_user_from_group(GroupName="staff", UserName="ann")
    iam.delete_group(GroupName="staff")
    iam.delete_group(GroupName="visitors")
    with refused(gone):
        iam.get_group(GroupName="staff")


groups()
boundaries()
simulations()
providers()
the_account()
endings()
finish()
