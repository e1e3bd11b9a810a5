"""S3 by boto3: buckets, and what can be said of one."""

import json
import sys

from steps import client, coded, finish, refused, same

account = sys.argv[1]
s3 = client("s3")
north = client("s3", region_name="eu-north-1")
prefix = f"settings-{account}"
bucket = f"{prefix}-main"


def statuses(call, **arguments):
    return call(**arguments)["ResponseMetadata"]["HTTPStatusCode"]


def buckets():
    same(s3.list_buckets(Prefix=prefix)["Buckets"], [])
    with refused(s3.exceptions.ClientError, "(404)"):
        s3.head_bucket(Bucket=bucket)
    s3.get_waiter("bucket_not_exists").wait(Bucket=bucket, WaiterConfig={"MaxAttempts": 1})
    made = s3.create_bucket(Bucket=bucket)
    same((made["Location"], made["BucketArn"]), (f"/{bucket}", f"arn:aws:s3:::{bucket}"))
    s3.get_waiter("bucket_exists").wait(Bucket=bucket, WaiterConfig={"MaxAttempts": 1})
    # Where it all began a bucket may be made again by who has it, and nowhere else.
    same(statuses(s3.create_bucket, Bucket=bucket), 200)
    there = {"LocationConstraint": "eu-north-1"}
    north.create_bucket(Bucket=f"{prefix}-north", CreateBucketConfiguration=there)
    with refused(north.exceptions.BucketAlreadyOwnedByYou):
        north.create_bucket(Bucket=f"{prefix}-north", CreateBucketConfiguration=there)
    with coded("IllegalLocationConstraintException", "eu-north-1"):
        s3.create_bucket(Bucket=f"{prefix}-lost", CreateBucketConfiguration=there)
    with coded("InvalidBucketName"):
        s3.create_bucket(Bucket="Upper-Case")
    same(s3.head_bucket(Bucket=bucket)["BucketRegion"], "us-east-1")
    same(north.head_bucket(Bucket=f"{prefix}-north")["BucketRegion"], "eu-north-1")
    same(s3.get_bucket_location(Bucket=bucket)["LocationConstraint"], None)
    same(north.get_bucket_location(Bucket=f"{prefix}-north")["LocationConstraint"], "eu-north-1")
    s3.create_bucket(Bucket=f"{prefix}-last")
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=prefix, PaginationConfig={"PageSize": 1}))
    names = [bucket["Name"] for page in pages for bucket in page["Buckets"]]
    same((len(pages), names), (3, [f"{prefix}-last", bucket, f"{prefix}-north"]))
    same([it["Name"] for it in s3.list_buckets(BucketRegion="eu-north-1")["Buckets"]], [f"{prefix}-north"])
    same(s3.list_buckets()["Owner"]["ID"], s3.get_bucket_acl(Bucket=bucket)["Owner"]["ID"])
    same(statuses(s3.delete_bucket, Bucket=f"{prefix}-last"), 204)
    with refused(s3.exceptions.NoSuchBucket):
        s3.delete_bucket(Bucket=f"{prefix}-last")


def a_client_finds_the_region_of_a_bucket():
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "found", "Value": "from afar"}]})
    (tag,) = north.get_bucket_tagging(Bucket=bucket)["TagSet"]
    same(tag, {"Key": "found", "Value": "from afar"})


def tags():
    s3.delete_bucket_tagging(Bucket=bucket)
    with coded("NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=bucket)
    wanted = [{"Key": "team", "Value": "storefront"}, {"Key": "stage +/=", "Value": "雲 @ co"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": wanted})
    found = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    same(sorted(found, key=lambda tag: tag["Key"]), sorted(wanted, key=lambda tag: tag["Key"]))


def versioning():
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for status in ["Enabled", "Suspended"]:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        same(s3.get_bucket_versioning(Bucket=bucket)["Status"], status)


def origins():
    with coded("NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=bucket)
    rule = {
        "ID": "shop", "AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["https://shop.example", "https://*.test"],
        "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60,
    }
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    same(s3.get_bucket_cors(Bucket=bucket)["CORSRules"], [rule])
    s3.delete_bucket_cors(Bucket=bucket)
    with coded("NoSuchCORSConfiguration"):
        s3.get_bucket_cors(Bucket=bucket)


def lifecycle():
    with coded("NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)
    rules = [
        {"ID": "logs", "Filter": {"Prefix": "log/"}, "Status": "Enabled", "Expiration": {"Days": 7}},
        {
            "ID": "uploads", "Filter": {"Prefix": ""}, "Status": "Disabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3},
        },
        {
            "ID": "old", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 30, "NewerNoncurrentVersions": 2},
            "Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "kind", "Value": "old"}], "ObjectSizeGreaterThan": 10}},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    found = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    same(sorted(found, key=lambda rule: rule["ID"]), sorted(rules, key=lambda rule: rule["ID"]))
    s3.delete_bucket_lifecycle(Bucket=bucket)
    with coded("NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=bucket)


def policies():
    with coded("NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=bucket)
    statement = {
        "Sid": "root", "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    same(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), policy)
    same(s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"], False)
    with coded("MalformedPolicy"):
        s3.put_bucket_policy(Bucket=bucket, Policy="{}")
    public = {"Version": "2012-10-17", "Statement": [{**statement, "Principal": "*"}]}
    with coded("AccessDenied"):
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(public))
    same(statuses(s3.delete_bucket_policy, Bucket=bucket), 204)


def the_public():
    blocks = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"]
    found = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    same(found, dict.fromkeys(blocks, True))
    half = {**dict.fromkeys(blocks, True), "BlockPublicPolicy": False}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=half)
    same(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"], half)
    s3.delete_public_access_block(Bucket=bucket)
    with coded("NoSuchPublicAccessBlockConfiguration"):
        s3.get_public_access_block(Bucket=bucket)
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
    same(s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"], True)


def owners():
    def rule(ownership):
        return {"Rules": [{"ObjectOwnership": ownership}]}

    same(s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"], rule("BucketOwnerEnforced"))
    with coded("AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rule("BucketOwnerPreferred"))
    same(s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"], rule("BucketOwnerPreferred"))
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    acl = s3.get_bucket_acl(Bucket=bucket)
    everybody = {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/global/AllUsers"}
    grants = {(grant["Grantee"].get("URI", grant["Grantee"].get("ID")), grant["Permission"]) for grant in acl["Grants"]}
    same(grants, {(acl["Owner"]["ID"], "FULL_CONTROL"), (everybody["URI"], "READ")})
    (public,) = [grant for grant in acl["Grants"] if grant["Permission"] == "READ"]
    same(public["Grantee"], everybody)
    owner = {"Type": "CanonicalUser", "ID": acl["Owner"]["ID"]}
    own = {"Owner": {"ID": acl["Owner"]["ID"]}, "Grants": [{"Grantee": owner, "Permission": "FULL_CONTROL"}]}
    s3.put_bucket_acl(Bucket=bucket, AccessControlPolicy=own)
    same([grant["Permission"] for grant in s3.get_bucket_acl(Bucket=bucket)["Grants"]], ["FULL_CONTROL"])
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    with coded("OwnershipControlsNotFoundError"):
        s3.get_bucket_ownership_controls(Bucket=bucket)


def websites():
    with coded("NoSuchWebsiteConfiguration"):
        s3.get_bucket_website(Bucket=bucket)
    rule = {
        "Condition": {"KeyPrefixEquals": "old/", "HttpErrorCodeReturnedEquals": "404"},
        "Redirect": {"ReplaceKeyPrefixWith": "new/", "HttpRedirectCode": "307", "HostName": "shop.example", "Protocol": "https"},
    }
    website = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}, "RoutingRules": [rule]}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    found = s3.get_bucket_website(Bucket=bucket)
    same({name: found[name] for name in website}, website)
    same(statuses(s3.delete_bucket_website, Bucket=bucket), 204)


def notifications():
    found = s3.get_bucket_notification_configuration(Bucket=bucket)
    same(set(found), {"ResponseMetadata"})
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}})
    same(s3.get_bucket_notification_configuration(Bucket=bucket)["EventBridgeConfiguration"], {})
    nobody = {
        "LambdaFunctionArn": f"arn:aws:lambda:us-east-1:{account}:function:nobody", "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
    }
    with coded("InvalidArgument", "Unable to validate the following destination configurations"):
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [nobody]})
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    same(set(s3.get_bucket_notification_configuration(Bucket=bucket)), {"ResponseMetadata"})


def what_no_bucket_has():
    """The answers of AWS for a bucket of which nothing of the kind was said."""
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    same(s3.get_bucket_request_payment(Bucket=bucket)["Payer"], "BucketOwner")
    with coded("ReplicationConfigurationNotFoundError"):
        s3.get_bucket_replication(Bucket=bucket)
    with coded("ObjectLockConfigurationNotFoundError"):
        s3.get_object_lock_configuration(Bucket=bucket)
    with coded("NotImplemented", "s3:PutBucketReplication"):
        s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration={"Role": "r", "Rules": []})


def endings():
    s3.delete_bucket(Bucket=bucket)
    north.delete_bucket(Bucket=f"{prefix}-north")
    s3.get_waiter("bucket_not_exists").wait(Bucket=bucket, WaiterConfig={"MaxAttempts": 1})
    same(s3.list_buckets(Prefix=prefix)["Buckets"], [])


buckets()
a_client_finds_the_region_of_a_bucket()
tags()
versioning()
origins()
lifecycle()
policies()
the_public()
owners()
websites()
notifications()
what_no_bucket_has()
endings()
finish()
