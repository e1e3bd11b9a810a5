"""Tags of objects."""

from urllib.parse import urlencode

from cases import (
    ACCOUNT, allow, bucket, case, filled, headers, policy, read, refused, run, s3, same, signed, status, user,
)

USER = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/idle"}


def tagging(**tags):
    return {"TagSet": [{"Key": key, "Value": value} for key, value in tags.items()]}


def told(there, key="k", **more):
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(Bucket=there, Key=key, **more)["TagSet"]}


@case
def an_object_has_no_tags_at_first():
    there = filled("k")
    same(told(there), {})
    assert "TagCount" not in s3.get_object(Bucket=there, Key="k")


@case
def tags_are_set_read_and_deleted():
    there = filled("k")
    same(status(s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(a="1", b=""))), 200)
    same(told(there), {"a": "1", "b": ""})
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(c="3"))
    same(told(there), {"c": "3"})
    same(status(s3.delete_object_tagging(Bucket=there, Key="k")), 204)
    same(told(there), {})


@case
def the_number_of_tags_is_told():
    there = filled("k")
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(a="1", b="2"))
    same(headers(s3.head_object(Bucket=there, Key="k"))["x-amz-tagging-count"], "2")
    same(s3.get_object(Bucket=there, Key="k")["TagCount"], 2)


@case
def an_object_has_ten_tags_at_most():
    there = filled("k")
    ten = {f"k{number}": "v" for number in range(10)}
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(**ten))
    refused("BadRequest", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(**ten, more="v"))
    same(told(there), ten)
    refused("BadRequest", s3.put_object, Bucket=there, Key="other", Tagging=urlencode({**ten, "more": "v"}))


@case
def tags_are_as_long_as_they_may_be():
    there = filled("k")
    longest = {"k" * 128: "v" * 256}
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(**longest))
    same(told(there), longest)
    refused("InvalidTag", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(**{"k" * 129: "v"}))
    refused("InvalidTag", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(k="v" * 257))
    refused(("InvalidTag", "MalformedXML"), s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(**{"": "v"}))


@case
def a_key_of_a_tag_is_there_once_and_not_awss():
    there = filled("k")
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    refused("InvalidTag", s3.put_object_tagging, Bucket=there, Key="k", Tagging=twice)
    refused("InvalidTag", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(**{"aws:x": "1"}))
    refused("InvalidTag", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(a="<b>"))


@case
def tags_may_be_of_any_script():
    there = filled("k")
    odd = {"ключ +-=._:/@": "値 é"}
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(**odd))
    same(told(there), odd)


@case
def tags_come_with_an_object():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"x", Tagging="bar=&foo=a%20b&c=d+e")
    same(told(there), {"bar": "", "foo": "a b", "c": "d e"})
    s3.put_object(Bucket=there, Key="k", Body=b"x")
    same(told(there), {})


@case
def tags_of_a_header_that_cannot_be_are_refused():
    there = bucket()
    for wrong in ("a=1&a=2", "aws:x=1", "=v", "k" * 129 + "=v"):
        answer = signed("PUT", f"/{there}/k", b"x", {"x-amz-tagging": wrong})
        assert answer.status == 400 and answer.code in ("InvalidTag", "InvalidArgument"), answer.text


@case
def tags_of_what_is_not_there():
    there = bucket()
    refused("NoSuchKey", s3.get_object_tagging, Bucket=there, Key="k")
    refused("NoSuchKey", s3.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(a="1"))


@case
def versions_have_their_own_tags():
    there = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="k", Tagging="n=1")["VersionId"]
    two = s3.put_object(Bucket=there, Key="k", Tagging="n=2")["VersionId"]
    same((told(there, VersionId=one), told(there)), ({"n": "1"}, {"n": "2"}))
    answer = s3.put_object_tagging(Bucket=there, Key="k", VersionId=one, Tagging=tagging(n="3"))
    same(answer["VersionId"], one)
    same((told(there, VersionId=one), told(there, VersionId=two)), ({"n": "3"}, {"n": "2"}))
    s3.delete_object_tagging(Bucket=there, Key="k", VersionId=one)
    same((told(there, VersionId=one), told(there)), ({}, {"n": "2"}))


@case
def a_marker_has_no_tags():
    there = bucket(versioning="Enabled")
    s3.put_object(Bucket=there, Key="k")
    marker = s3.delete_object(Bucket=there, Key="k")["VersionId"]
    refused("MethodNotAllowed", s3.get_object_tagging, Bucket=there, Key="k", VersionId=marker)


@case
def tagging_needs_actions_of_its_own():
    there = filled("k")
    policy(there, allow(USER, ["s3:PutObject", "s3:GetObject"], "BUCKET/*"))
    refused("AccessDenied", user.get_object_tagging, Bucket=there, Key="k")
    refused("AccessDenied", user.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(a="1"))
    refused("AccessDenied", user.put_object, Bucket=there, Key="k", Tagging="a=1")
    policy(there, allow(USER, ["s3:PutObject", "s3:PutObjectTagging", "s3:GetObjectTagging"], "BUCKET/*"))
    user.put_object(Bucket=there, Key="k", Tagging="a=1")
    same(user.get_object_tagging(Bucket=there, Key="k")["TagSet"], [{"Key": "a", "Value": "1"}])


@case
def policies_see_the_tags_that_an_object_has():
    there = filled("public", "private", "plain")
    s3.put_object_tagging(Bucket=there, Key="public", Tagging=tagging(security="public"))
    s3.put_object_tagging(Bucket=there, Key="private", Tagging=tagging(security="private"))
    only = {"StringEquals": {"s3:ExistingObjectTag/security": "public"}}
    policy(there, allow(USER, "s3:GetObject", "BUCKET/*", Condition=only))
    same(read(there, "public", user), b"public")
    for hidden in ("private", "plain"):
        refused("AccessDenied", user.get_object, Bucket=there, Key=hidden)


@case
def policies_see_the_tags_that_are_to_be_set():
    there = filled("k")
    only = {"StringEquals": {"s3:RequestObjectTag/security": "public"}}
    policy(there, allow(USER, ["s3:PutObject", "s3:PutObjectTagging"], "BUCKET/*", Condition=only))
    user.put_object(Bucket=there, Key="k", Tagging="security=public")
    refused("AccessDenied", user.put_object, Bucket=there, Key="k", Tagging="security=private")
    user.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(security="public"))
    refused("AccessDenied", user.put_object_tagging, Bucket=there, Key="k", Tagging=tagging(security="no"))


@case
def changing_tags_changes_nothing_else():
    there = bucket()
    s3.put_object(Bucket=there, Key="k", Body=b"x", Metadata={"m": "1"})
    before = s3.head_object(Bucket=there, Key="k")
    s3.put_object_tagging(Bucket=there, Key="k", Tagging=tagging(a="1"))
    after = s3.head_object(Bucket=there, Key="k")
    for said in ("ETag", "LastModified", "Metadata"):
        same(after[said], before[said])


run()
