"""Bucket policies: what may be set, what they allow and deny, and when they are public."""

import json

from cases import (
    ACCOUNT, OTHER_ACCOUNT, allow, anonymous, bucket, case, deny, filled, keys, other, policy, presigned, read,
    refused, run, s3, same, send, signed, status, user,
)

USER = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/idle"}
OTHER = {"AWS": OTHER_ACCOUNT}


def malformed(there, document):
    text = document if isinstance(document, str) else json.dumps(document)
    return refused("MalformedPolicy", s3.put_bucket_policy, Bucket=there, Policy=text.replace("BUCKET", f"arn:aws:s3:::{there}"))


def of(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


@case
def a_policy_is_set_read_and_deleted():
    there = bucket()
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=there)
    text = json.dumps(of(allow(OTHER, "s3:GetObject", f"arn:aws:s3:::{there}/*")))
    same(status(s3.put_bucket_policy(Bucket=there, Policy=text)), 204)
    same(json.loads(s3.get_bucket_policy(Bucket=there)["Policy"]), json.loads(text))
    same(status(s3.delete_bucket_policy(Bucket=there)), 204)
    same(status(s3.delete_bucket_policy(Bucket=there)), 204)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=there)


@case
def what_is_no_policy_is_refused():
    there = bucket()
    for wrong in ("{", "[]", "not JSON", "{}", of(), of({"Effect": "Allow"})):
        malformed(there, wrong)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=there)


@case
def a_policy_is_about_its_bucket():
    there, elsewhere = bucket(), bucket()
    malformed(there, of(allow(OTHER, "s3:GetObject", f"arn:aws:s3:::{elsewhere}/*")))
    malformed(there, of(allow(OTHER, "s3:GetObject", "arn:aws:sqs:us-east-1:1:q")))
    malformed(there, of(allow(OTHER, "sqs:SendMessage", "BUCKET/*")))
    malformed(there, of(allow(OTHER, "s3:GetObject", ["BUCKET/*", f"arn:aws:s3:::{elsewhere}"])))


@case
def a_statement_has_a_principal_that_can_be():
    there = bucket()
    malformed(there, of({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "BUCKET/*"}))
    malformed(there, of(allow({"AWS": "nobody"}, "s3:GetObject", "BUCKET/*")))
    malformed(there, of({**allow(OTHER, "s3:GetObject", "BUCKET/*"), "Effect": "Perhaps"}))
    malformed(there, of({**allow(OTHER, "s3:GetObject", "BUCKET/*"), "Condition": {"StringIs": {"a": "b"}}}))


@case
def a_policy_has_twenty_kibibytes_at_most():
    there = bucket()
    statements = [allow(OTHER, "s3:GetObject", f"BUCKET/{'x' * 400}{number}") for number in range(50)]
    malformed(there, of(*statements))


@case
def another_account_is_let_in():
    there = filled("asdf")
    refused("AccessDenied", other.list_objects_v2, Bucket=there)
    policy(there, allow(OTHER, "s3:ListBucket", ["BUCKET", "BUCKET/*"]))
    same((keys(other.list_objects(Bucket=there)), keys(other.list_objects_v2(Bucket=there))), (["asdf"], ["asdf"]))
    refused("AccessDenied", other.get_object, Bucket=there, Key="asdf")
    s3.delete_bucket_policy(Bucket=there)
    refused("AccessDenied", other.list_objects_v2, Bucket=there)


@case
def a_user_of_the_account_is_let_in():
    there = filled("k")
    refused("AccessDenied", user.get_object, Bucket=there, Key="k")
    policy(there, allow(USER, "s3:GetObject", "BUCKET/*"))
    same(read(there, "k", user), b"k")
    refused("AccessDenied", user.put_object, Bucket=there, Key="k", Body=b"x")


@case
def resources_may_have_wildcards():
    there = filled("docs/a.txt", "docs/b.png", "other/a.txt")
    policy(there, allow(USER, "s3:GetObject", "BUCKET/docs/*.t?t"))
    same(read(there, "docs/a.txt", user), b"docs/a.txt")
    for hidden in ("docs/b.png", "other/a.txt"):
        refused("AccessDenied", user.get_object, Bucket=there, Key=hidden)


@case
def actions_may_have_wildcards_and_any_case():
    there = filled("k")
    policy(there, allow(USER, "S3:getobj*", "BUCKET/*"))
    same(read(there, "k", user), b"k")
    user.get_object_tagging(Bucket=there, Key="k")
    refused("AccessDenied", user.delete_object, Bucket=there, Key="k")


@case
def a_denial_counts_for_more():
    there = filled("k", "secret")
    policy(there, allow(USER, "s3:*", ["BUCKET", "BUCKET/*"]), deny(USER, "s3:GetObject", "BUCKET/secret"))
    same(read(there, "k", user), b"k")
    refused("AccessDenied", user.get_object, Bucket=there, Key="secret")
    refused("AccessDenied", user.copy_object, Bucket=there, Key="open", CopySource=f"{there}/secret")


@case
def the_root_lifts_a_policy_that_shuts_everybody_out():
    there = filled("k")
    policy(there, deny("*", "s3:*", ["BUCKET", "BUCKET/*"]))
    refused("AccessDenied", s3.get_object, Bucket=there, Key="k")
    s3.delete_bucket_policy(Bucket=there)
    same(read(there, "k"), b"k")


@case
def who_may_not_list_is_not_told_what_is_missing():
    there = filled("k")
    policy(there, allow(USER, "s3:GetObject", "BUCKET/*"))
    refused("AccessDenied", user.get_object, Bucket=there, Key="none")
    refused("403", user.head_object, Bucket=there, Key="none")
    policy(there, allow(USER, ["s3:GetObject", "s3:ListBucket"], ["BUCKET", "BUCKET/*"]))
    refused("NoSuchKey", user.get_object, Bucket=there, Key="none")


@case
def a_prefix_is_a_condition():
    there = filled("home/a", "etc/b")
    policy(there, allow(USER, "s3:ListBucket", "BUCKET", Condition={"StringLike": {"s3:prefix": "home/*"}}))
    same(keys(user.list_objects_v2(Bucket=there, Prefix="home/")), ["home/a"])
    refused("AccessDenied", user.list_objects_v2, Bucket=there, Prefix="etc/")
    refused("AccessDenied", user.list_objects_v2, Bucket=there)


@case
def a_delimiter_and_a_number_are_conditions():
    there = filled("a")
    policy(
        there,
        allow(USER, "s3:ListBucket", "BUCKET", Condition={"NumericLessThanEquals": {"s3:max-keys": "10"}}),
        deny(USER, "s3:ListBucket", "BUCKET", Condition={"StringEquals": {"s3:delimiter": "/"}}),
    )
    user.list_objects_v2(Bucket=there, MaxKeys=10)
    refused("AccessDenied", user.list_objects_v2, Bucket=there, MaxKeys=11)
    refused("AccessDenied", user.list_objects_v2, Bucket=there, MaxKeys=1, Delimiter="/")


@case
def where_a_copy_comes_from_is_a_condition():
    one, two, there = filled("k"), filled("k"), bucket()
    for source in (one, two):
        policy(source, allow(USER, "s3:GetObject", "BUCKET/*"))
    policy(there, allow(USER, "s3:PutObject", "BUCKET/*", Condition={"StringLike": {"s3:x-amz-copy-source": f"{one}/*"}}))
    user.copy_object(Bucket=there, Key="c", CopySource=f"{one}/k")
    refused("AccessDenied", user.copy_object, Bucket=there, Key="c", CopySource=f"{two}/k")
    refused("AccessDenied", user.put_object, Bucket=there, Key="c", Body=b"x")


@case
def a_canned_list_is_a_condition():
    there = bucket(acls=True)
    may = ["s3:PutObject", "s3:PutObjectAcl"]
    policy(there, allow(OTHER, may, "BUCKET/*", Condition={"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}))
    other.put_object(Bucket=there, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    refused("AccessDenied", other.put_object, Bucket=there, Key="k", Body=b"x")
    refused("AccessDenied", other.put_object, Bucket=there, Key="k", Body=b"x", ACL="private")


@case
def the_address_of_the_caller_is_a_condition():
    there = filled("k", public=True)
    policy(there, allow("*", "s3:GetObject", "BUCKET/*", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}))
    same(read(there, "k", anonymous), b"k")
    policy(there, allow("*", "s3:GetObject", "BUCKET/*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")


@case
def encryption_of_the_connection_is_a_condition():
    there = filled("k", public=True)
    policy(
        there, allow("*", "s3:GetObject", "BUCKET/*"),
        deny("*", "s3:*", ["BUCKET", "BUCKET/*"], Condition={"Bool": {"aws:SecureTransport": "false"}}),
    )
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")
    refused("AccessDenied", s3.get_object, Bucket=there, Key="k")


@case
def a_referer_is_a_condition():
    there = filled("k", public=True)
    policy(there, allow("*", "s3:GetObject", "BUCKET/*", Condition={"StringLike": {"aws:Referer": "http://example.com/*"}}))
    send("GET", f"/{there}/k", b"", {"Referer": "http://example.com/page"}).expect(200)
    send("GET", f"/{there}/k", b"", {"Referer": "http://elsewhere.com/page"}).expect(403, "AccessDenied")
    send("GET", f"/{there}/k").expect(403, "AccessDenied")


@case
def how_a_request_is_signed_is_a_condition():
    there = filled("k")
    policy(there, deny("*", "s3:GetObject", "BUCKET/*", Condition={"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}))
    same(read(there, "k"), b"k")
    send("GET", presigned("GET", f"/{there}/k")).expect(403, "AccessDenied")


@case
def the_age_of_a_signature_is_a_condition():
    there = filled("k")
    policy(there, deny("*", "s3:*", "BUCKET/*", Condition={"NumericGreaterThan": {"s3:signatureAge": 600000}}))
    same(read(there, "k"), b"k")


@case
def a_version_is_a_condition():
    there = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="k", Body=b"1")["VersionId"]
    two = s3.put_object(Bucket=there, Key="k", Body=b"2")["VersionId"]
    policy(there, allow(USER, "s3:GetObjectVersion", "BUCKET/*", Condition={"StringEquals": {"s3:VersionId": one}}))
    same(read(there, "k", user, VersionId=one), b"1")
    refused("AccessDenied", user.get_object, Bucket=there, Key="k", VersionId=two)


@case
def public_policies_are_blocked_at_first():
    there = bucket()
    statement = allow("*", "s3:GetObject", "BUCKET/*")
    refused(
        "AccessDenied", s3.put_bucket_policy, Bucket=there,
        Policy=json.dumps(of(statement)).replace("BUCKET", f"arn:aws:s3:::{there}"),
    )
    policy(there, allow(OTHER, "s3:GetObject", "BUCKET/*"))
    policy(there, deny("*", "s3:GetObject", "BUCKET/*"))


@case
def whether_a_policy_is_public_is_told():
    there = bucket(public=True)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy_status, Bucket=there)
    is_public = lambda: s3.get_bucket_policy_status(Bucket=there)["PolicyStatus"]["IsPublic"]
    for principal, condition, expected in [
        ("*", None, True), ({"AWS": "*"}, None, True), (OTHER, None, False),
        ("*", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False), ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ("*", {"StringEquals": {"aws:PrincipalAccount": OTHER_ACCOUNT}}, False),
        ("*", {"StringLike": {"aws:Referer": "http://x/*"}}, True),
    ]:
        policy(there, allow(principal, "s3:GetObject", "BUCKET/*", **({"Condition": condition} if condition else {})))
        same((principal, condition, is_public()), (principal, condition, expected))


@case
def a_bucket_that_is_restricted_lets_its_account_in_alone():
    there = filled("k", public=True)
    policy(there, allow("*", "s3:GetObject", "BUCKET/*"))
    same((read(there, "k", anonymous), read(there, "k", other)), (b"k", b"k"))
    s3.put_public_access_block(Bucket=there, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")
    refused("AccessDenied", other.get_object, Bucket=there, Key="k")
    same(read(there, "k", user), b"k")


@case
def everybody_writes_where_a_policy_says_so():
    there = bucket(public=True)
    policy(there, allow("*", ["s3:PutObject", "s3:GetObject"], "BUCKET/inbox/*"))
    anonymous.put_object(Bucket=there, Key="inbox/a", Body=b"x")
    same(read(there, "inbox/a", anonymous), b"x")
    refused("AccessDenied", anonymous.put_object, Bucket=there, Key="a", Body=b"x")
    refused("AccessDenied", anonymous.delete_object, Bucket=there, Key="inbox/a")


@case
def strangers_neither_see_nor_change_a_policy():
    there = filled("k")
    policy(there, allow(OTHER, "s3:GetObject", "BUCKET/*"))
    for by in (other, user, anonymous):
        refused("AccessDenied", by.get_bucket_policy, Bucket=there)
        refused("AccessDenied", by.delete_bucket_policy, Bucket=there)
        refused("AccessDenied", by.put_bucket_policy, Bucket=there, Policy="{}")


@case
def an_account_that_is_let_in_lets_its_users_in_itself():
    there = filled("k")
    policy(there, allow({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "s3:GetObject", "BUCKET/*"))
    # The account is trusted; its user still needs a policy of his own.
    refused("AccessDenied", user.get_object, Bucket=there, Key="k")


@case
def not_principal_and_not_action_and_not_resource():
    there = filled("k", "open/k")
    policy(there, deny("*", "s3:GetObject", "BUCKET/none"), {
        "Effect": "Allow", "Principal": USER, "NotAction": ["s3:DeleteObject", "s3:PutObject"],
        "Resource": ["BUCKET", "BUCKET/*"],
    })
    same(read(there, "k", user), b"k")
    refused("AccessDenied", user.delete_object, Bucket=there, Key="k")
    policy(there, {"Effect": "Allow", "Principal": USER, "Action": "s3:GetObject", "NotResource": "BUCKET/k"})
    same(read(there, "open/k", user), b"open/k")
    refused("AccessDenied", user.get_object, Bucket=there, Key="k")


@case
def a_policy_of_a_bucket_that_is_not_there():
    refused("NoSuchBucket", s3.get_bucket_policy, Bucket=f"none-{ACCOUNT}")
    signed("PUT", f"/none-{ACCOUNT}?policy", b"{}").expect(404, "NoSuchBucket")


run()
