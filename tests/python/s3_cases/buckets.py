"""Buckets: their names, how they are made, found, listed and deleted."""

import os

from cases import (
    ACCOUNT, OTHER_ACCOUNT, REGION, anonymous, bucket, case, client, filled, headers, name, other, refused, run, s3,
    same, send, signed, status, user,
)


def made(wanted):
    status_code = status(s3.create_bucket(Bucket=wanted))
    s3.head_bucket(Bucket=wanted)
    s3.delete_bucket(Bucket=wanted)
    return status_code


def not_made(path):
    signed("PUT", "/" + path).expect(400, "InvalidBucketName")


@case
def a_name_has_three_characters_at_least():
    not_made("a")
    not_made("ab")
    same(made("abc"), 200)


@case
def a_name_has_63_characters_at_most():
    stem = name()
    for length in (60, 61, 62, 63):
        same(made(stem + "x" * (length - len(stem))), 200)
    not_made(stem + "x" * (64 - len(stem)))
    not_made("x" * 250)


@case
def a_name_has_no_upper_case():
    not_made(name().upper())


@case
def a_name_has_no_underscore():
    not_made(name() + "_a")
    not_made("_" + name())


@case
def a_name_begins_and_ends_with_a_letter_or_a_digit():
    same(made("0" + name()), 200)
    for wrong in ("-" + name(), name() + "-", "." + name(), name() + "."):
        not_made(wrong)


@case
def a_name_has_no_two_dots_together():
    not_made(name() + "..a")


@case
def a_name_may_have_hyphens_and_dots():
    same(made(name() + "--a"), 200)
    same(made(name() + ".a-b"), 200)


@case
def a_name_is_no_address():
    not_made("192.168.5.123")


@case
def a_name_has_no_blank_and_no_exclamation_mark():
    not_made("alpha%20beta")
    not_made("alpha!beta")


@case
def a_name_that_is_kept_for_something_else_is_refused():
    for wrong in ("xn--case", "sthree-case", "case-s3alias", "case--ol-s3", "case.mrap", "case--x-s3"):
        not_made(wrong)


@case
def the_location_is_told_when_a_bucket_is_made():
    wanted = name()
    same(s3.create_bucket(Bucket=wanted)["Location"], f"/{wanted}")


@case
def making_it_again_succeeds_where_aws_says_so():
    there = filled("kept")
    same(status(s3.create_bucket(Bucket=there)), 200)
    same([item["Key"] for item in s3.list_objects_v2(Bucket=there)["Contents"]], ["kept"])


@case
def making_it_again_is_refused_elsewhere():
    west, wanted = client(region="eu-west-1"), name()
    west.create_bucket(Bucket=wanted, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    answer = refused(
        "BucketAlreadyOwnedByYou", west.create_bucket, Bucket=wanted,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    same((status(answer), answer["Error"]["BucketName"]), (409, wanted))


@case
def the_name_of_anothers_bucket_is_taken():
    there = bucket()
    same(status(refused("BucketAlreadyExists", other.create_bucket, Bucket=there)), 409)
    same(status(s3.head_bucket(Bucket=there)), 200)


@case
def nobody_cannot_make_a_bucket():
    same(status(refused("AccessDenied", anonymous.create_bucket, Bucket=name())), 403)


@case
def a_location_that_is_not_where_the_request_went_is_refused():
    refused(
        "IllegalLocationConstraintException", s3.create_bucket, Bucket=name(),
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )


@case
def a_location_that_is_none_is_refused():
    refused(
        "InvalidLocationConstraint", s3.create_bucket, Bucket=name(),
        CreateBucketConfiguration={"LocationConstraint": "atlantis-1"},
    )


@case
def a_document_that_is_none_is_refused():
    signed("PUT", "/" + name(), b"<CreateBucketConfiguration>").expect(400, "MalformedXML")


@case
def where_a_bucket_is_is_told():
    same(s3.get_bucket_location(Bucket=bucket())["LocationConstraint"], None)
    west, wanted = client(region="eu-west-1"), name()
    west.create_bucket(Bucket=wanted, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    same(west.get_bucket_location(Bucket=wanted)["LocationConstraint"], "eu-west-1")
    same(west.head_bucket(Bucket=wanted)["BucketRegion"], "eu-west-1")


@case
def a_bucket_is_reached_from_every_region_and_tells_its_own():
    # There is one address here: nobody has to be sent elsewhere.
    west, wanted = client(region="eu-west-1"), name()
    west.create_bucket(Bucket=wanted, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket=wanted, Key="k", Body=b"x")
    same(west.get_object(Bucket=wanted, Key="k")["Body"].read(), b"x")
    same(s3.head_bucket(Bucket=wanted)["BucketRegion"], "eu-west-1")


@case
def head_of_a_bucket_tells_its_region():
    answer = s3.head_bucket(Bucket=bucket())
    same((status(answer), headers(answer)["x-amz-bucket-region"]), (200, REGION))


@case
def head_of_a_bucket_that_is_not_there_is_404_without_a_document():
    answer = signed("HEAD", "/" + name())
    same((answer.status, answer.body), (404, b""))


@case
def head_of_anothers_bucket_is_403():
    same(status(refused("403", other.head_bucket, Bucket=bucket())), 403)
    same(status(refused("403", user.head_bucket, Bucket=bucket())), 403)
    same(status(refused("403", anonymous.head_bucket, Bucket=bucket())), 403)


@case
def a_bucket_is_deleted():
    there = bucket()
    same(status(s3.delete_bucket(Bucket=there)), 204)
    refused("404", s3.head_bucket, Bucket=there)
    same(status(refused("NoSuchBucket", s3.delete_bucket, Bucket=there)), 404)


@case
def a_bucket_with_objects_is_not_deleted():
    there = filled("kept")
    same(status(refused("BucketNotEmpty", s3.delete_bucket, Bucket=there)), 409)
    s3.delete_object(Bucket=there, Key="kept")
    s3.delete_bucket(Bucket=there)


@case
def a_bucket_with_versions_or_markers_is_not_deleted():
    there = bucket(versioning="Enabled")
    version = s3.put_object(Bucket=there, Key="k")["VersionId"]
    marker = s3.delete_object(Bucket=there, Key="k")["VersionId"]
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=there)
    s3.delete_object(Bucket=there, Key="k", VersionId=version)
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=there)
    s3.delete_object(Bucket=there, Key="k", VersionId=marker)
    s3.delete_bucket(Bucket=there)


@case
def a_bucket_with_an_upload_is_deleted_and_the_upload_gone():
    there = bucket()
    upload = s3.create_multipart_upload(Bucket=there, Key="k")["UploadId"]
    s3.delete_bucket(Bucket=there)
    s3.create_bucket(Bucket=there)
    refused("NoSuchUpload", s3.list_parts, Bucket=there, Key="k", UploadId=upload)


@case
def anothers_bucket_is_not_deleted():
    there = bucket()
    refused("AccessDenied", other.delete_bucket, Bucket=there)
    refused("AccessDenied", anonymous.delete_bucket, Bucket=there)
    s3.head_bucket(Bucket=there)


@case
def a_bucket_made_again_shares_nothing_with_its_forerunner():
    there = bucket(public=True)
    s3.put_bucket_tagging(Bucket=there, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_bucket_versioning(Bucket=there, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_bucket(Bucket=there)
    other.create_bucket(Bucket=there)
    refused("NoSuchTagSet", other.get_bucket_tagging, Bucket=there)
    assert "Status" not in other.get_bucket_versioning(Bucket=there)
    other.get_public_access_block(Bucket=there)


@case
def writing_into_a_bucket_that_is_not_there_is_refused():
    answer = refused("NoSuchBucket", s3.put_object, Bucket=name(), Key="k", Body=b"x")
    same(status(answer), 404)
    assert answer["Error"]["BucketName"], answer


@case
def listing_a_bucket_that_is_not_there_is_refused():
    refused("NoSuchBucket", s3.list_objects, Bucket=name())
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=name())
    refused("NoSuchBucket", s3.list_object_versions, Bucket=name())


@case
def an_accounts_buckets_are_listed_by_their_names():
    mine = sorted(bucket() for _ in range(3))
    bucket(other)
    answer = s3.list_buckets()
    found = [item["Name"] for item in answer["Buckets"]]
    same(found, sorted(found))
    same([one for one in found if one in mine], mine)
    assert all(one.startswith(("case-", "0")) for one in found), found
    assert not {item["Name"] for item in other.list_buckets()["Buckets"]} & set(mine)
    assert answer["Owner"]["ID"], answer


@case
def buckets_are_listed_page_by_page():
    stem = name()
    wanted = [f"{stem}-{letter}" for letter in "abc"]
    for one in wanted:
        s3.create_bucket(Bucket=one)
    pages = list(s3.get_paginator("list_buckets").paginate(Prefix=stem, PaginationConfig={"PageSize": 2}))
    same([[item["Name"] for item in page["Buckets"]] for page in pages], [wanted[:2], wanted[2:]])
    same(pages[0]["Prefix"], stem)


@case
def buckets_of_one_region_are_listed():
    west, wanted = client(region="eu-west-1"), name()
    west.create_bucket(Bucket=wanted, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    (found,) = s3.list_buckets(BucketRegion="eu-west-1", Prefix=wanted)["Buckets"]
    same((found["Name"], found["BucketRegion"]), (wanted, "eu-west-1"))
    same(s3.list_buckets(BucketRegion="us-east-1", Prefix=wanted)["Buckets"], [])


@case
def nobody_lists_no_buckets():
    answer = send("GET", "/")
    assert answer.status in (307, 403), answer.status
    refused("AccessDenied", anonymous.list_buckets)


@case
def a_wrong_secret_and_a_key_that_is_not_there_are_told_apart():
    key = {"id": "AKIAIOSFODNN7EXAMPLE", "secret": "x"}
    signed("GET", "/", key=key).expect(403, "InvalidAccessKeyId")
    signed("GET", "/", key={"id": os.environ["AWS_ACCESS_KEY_ID"], "secret": "x"}).expect(403, "SignatureDoesNotMatch")


@case
def the_expected_owner_is_checked():
    there = filled("k")
    for call, more in [
        (s3.head_bucket, {}), (s3.list_objects_v2, {}), (s3.get_object, {"Key": "k"}), (s3.put_object, {"Key": "k"}),
        (s3.delete_object, {"Key": "k"}), (s3.get_bucket_versioning, {}), (s3.delete_bucket, {}),
    ]:
        refused(("AccessDenied", "403"), call, Bucket=there, ExpectedBucketOwner=OTHER_ACCOUNT, **more)
    s3.head_bucket(Bucket=there, ExpectedBucketOwner=ACCOUNT)


@case
def tags_of_a_bucket_are_set_read_and_deleted():
    there = bucket()
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=there)
    tags = [{"Key": "Hello", "Value": "World"}, {"Key": "Zero", "Value": ""}]
    s3.put_bucket_tagging(Bucket=there, Tagging={"TagSet": tags})
    same(s3.get_bucket_tagging(Bucket=there)["TagSet"], tags)
    same(status(s3.delete_bucket_tagging(Bucket=there)), 204)
    refused("NoSuchTagSet", s3.get_bucket_tagging, Bucket=there)


@case
def a_bucket_may_be_made_with_tags():
    wanted = name()
    s3.create_bucket(Bucket=wanted, CreateBucketConfiguration={"Tags": [{"Key": "team", "Value": "a"}]})
    same(s3.get_bucket_tagging(Bucket=wanted)["TagSet"], [{"Key": "team", "Value": "a"}])


@case
def a_bucket_has_fifty_tags_at_most_and_each_once():
    there = bucket()
    fifty = [{"Key": f"k{number:02}", "Value": "v"} for number in range(50)]
    s3.put_bucket_tagging(Bucket=there, Tagging={"TagSet": fifty})
    more = fifty + [{"Key": "one more", "Value": "v"}]
    refused("BadRequest", s3.put_bucket_tagging, Bucket=there, Tagging={"TagSet": more})
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=there, Tagging={"TagSet": twice})
    refused("InvalidTag", s3.put_bucket_tagging, Bucket=there, Tagging={"TagSet": [{"Key": "aws:a", "Value": "1"}]})


@case
def settings_that_a_bucket_does_not_have_are_told_by_name():
    there = bucket()
    refused("NoSuchCORSConfiguration", s3.get_bucket_cors, Bucket=there)
    refused("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket=there)
    refused("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration, Bucket=there)
    refused("NoSuchWebsiteConfiguration", s3.get_bucket_website, Bucket=there)
    refused("ReplicationConfigurationNotFoundError", s3.get_bucket_replication, Bucket=there)
    refused("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration, Bucket=there)


@case
def settings_that_every_bucket_has_are_told():
    there = bucket()
    same(s3.get_bucket_request_payment(Bucket=there)["Payer"], "BucketOwner")
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=there)
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=there)
    assert "Status" not in s3.get_bucket_versioning(Bucket=there)


@case
def object_lock_is_refused_by_name():
    refused("NotImplemented", s3.create_bucket, Bucket=name(), ObjectLockEnabledForBucket=True)
    there = filled("k")
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    refused("NotImplemented", s3.put_object_lock_configuration, Bucket=there, ObjectLockConfiguration=rule)
    refused("NotImplemented", s3.put_object_legal_hold, Bucket=there, Key="k", LegalHold={"Status": "ON"})
    locked = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": "2050-01-01T00:00:00Z"}
    # What AWS says where a bucket was made without.
    refused("InvalidRequest", s3.put_object, Bucket=there, Key="k", Body=b"x", **locked)
    refused("InvalidRequest", s3.create_multipart_upload, Bucket=there, Key="k", ObjectLockLegalHoldStatus="ON")
    refused("InvalidRequest", s3.copy_object, Bucket=there, Key="c", CopySource=f"{there}/k", **locked)


@case
def operations_that_are_not_served_say_so_by_name():
    there = bucket()
    answer = refused("NotImplemented", s3.list_bucket_inventory_configurations, Bucket=there)
    same(status(answer), 501)
    assert "ListBucketInventoryConfigurations" in answer["Error"]["Message"], answer
    refused("NotImplemented", s3.put_bucket_accelerate_configuration, Bucket=there, AccelerateConfiguration={"Status": "Enabled"})


run()
