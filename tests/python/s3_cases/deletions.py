"""Deleting several objects at once."""

from cases import (
    ACCOUNT, allow, anonymous, bucket, case, deny, filled, keys, md5_64, other, policy, refused, run, s3, same,
    signed, user,
)


def several(bucket, *wanted, by=None, **more):
    objects = [one if isinstance(one, dict) else {"Key": one} for one in wanted]
    return (by or s3).delete_objects(Bucket=bucket, Delete={"Objects": objects, **more})


def document(*wanted):
    inner = "".join(f"<Object><Key>{key}</Key></Object>" for key in wanted)
    return f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{inner}</Delete>'.encode()


@case
def several_are_deleted():
    there = filled("a", "b", "c")
    answer = several(there, "a", "b")
    same(sorted(item["Key"] for item in answer["Deleted"]), ["a", "b"])
    assert "Errors" not in answer, answer
    same(keys(s3.list_objects_v2(Bucket=there)), ["c"])


@case
def what_is_not_there_counts_as_deleted():
    there = filled("a")
    same(len(several(there, "a", "never")["Deleted"]), 2)
    same(len(several(there, "a", "never")["Deleted"]), 2)


@case
def quietly_only_errors_are_told():
    there = filled("a", "b")
    answer = several(there, "a", "b", Quiet=True)
    assert "Deleted" not in answer and "Errors" not in answer, answer
    same(keys(s3.list_objects_v2(Bucket=there)), [])


@case
def a_thousand_at_once_and_no_more():
    there = filled("k0000", "k0999")
    thousand = [f"k{number:04}" for number in range(1000)]
    same(len(several(there, *thousand)["Deleted"]), 1000)
    same(keys(s3.list_objects_v2(Bucket=there)), [])
    refused("MalformedXML", s3.delete_objects, Bucket=there, Delete={"Objects": [{"Key": "k"}] * 1001})


@case
def none_at_all_are_refused():
    there = bucket()
    refused("MalformedXML", s3.delete_objects, Bucket=there, Delete={"Objects": []})
    for wrong in (b"", b"<Delete>", b"<Remove/>", b"not a document"):
        answer = signed("POST", f"/{there}?delete", wrong, {"Content-MD5": md5_64(wrong)})
        assert answer.status == 400 and answer.code in ("MalformedXML", "MissingRequestBodyError"), answer.text


@case
def a_digest_is_compared_and_not_asked_for():
    there, body = filled("a"), document("a")
    signed("POST", f"/{there}?delete", body, {"Content-MD5": md5_64(b"other")}).expect(400, "BadDigest")
    same(keys(s3.list_objects_v2(Bucket=there)), ["a"])
    signed("POST", f"/{there}?delete", body, {"x-amz-checksum-crc32": "AAAAAA=="}).expect(400, "BadDigest")
    same(keys(s3.list_objects_v2(Bucket=there)), ["a"])
    # AWS wants either; the signature of the body does here.
    signed("POST", f"/{there}?delete", body).expect(200)
    same(keys(s3.list_objects_v2(Bucket=there)), [])


@case
def odd_names_are_deleted():
    odd = ["a b", "a+b", "ü", "<a>", "a&amp;b", "a\nb", "a\rb", " lead", "trail ", "a//b", "..", '"', "\U0001f600", "%41"]
    there = filled(*odd)
    same(sorted(item["Key"] for item in several(there, *odd)["Deleted"]), sorted(odd))
    same(keys(s3.list_objects_v2(Bucket=there)), [])


@case
def the_same_one_twice():
    there = filled("a")
    answer = several(there, "a", "a")
    assert {item["Key"] for item in answer["Deleted"]} == {"a"}, answer


@case
def where_versions_are_kept_markers_are_made():
    there = filled("a", "b", versioning="Enabled")
    answer = several(there, "a", "b", "never")
    assert all(item["DeleteMarker"] and item["DeleteMarkerVersionId"] for item in answer["Deleted"]), answer
    found = s3.list_object_versions(Bucket=there)
    same((len(found["Versions"]), len(found["DeleteMarkers"])), (2, 3))


@case
def versions_and_markers_are_deleted():
    there = bucket(versioning="Enabled")
    version = s3.put_object(Bucket=there, Key="a", Body=b"x")["VersionId"]
    marker = s3.delete_object(Bucket=there, Key="a")["VersionId"]
    answer = several(there, {"Key": "a", "VersionId": version}, {"Key": "a", "VersionId": marker})
    found = {item["VersionId"]: item for item in answer["Deleted"]}
    same(set(found), {version, marker})
    same((found[marker].get("DeleteMarker"), found[marker].get("DeleteMarkerVersionId")), (True, marker))
    assert "DeleteMarker" not in found[version], found
    answer = s3.list_object_versions(Bucket=there)
    assert "Versions" not in answer and "DeleteMarkers" not in answer, answer


@case
def a_version_that_is_none_is_told_among_errors():
    there = filled("a", versioning="Enabled")
    answer = several(there, {"Key": "a", "VersionId": "nonsense"}, "b")
    same([item["Key"] for item in answer["Errors"]], ["a"])
    same([item["Key"] for item in answer["Deleted"]], ["b"])


@case
def each_is_admitted_by_itself():
    there = filled("open/a", "shut/b")
    policy(there, allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/idle"}, "s3:DeleteObject", "BUCKET/open/*"))
    answer = several(there, "open/a", "shut/b", by=user)
    same([item["Key"] for item in answer["Deleted"]], ["open/a"])
    same([(item["Key"], item["Code"]) for item in answer["Errors"]], [("shut/b", "AccessDenied")])
    same(keys(s3.list_objects_v2(Bucket=there)), ["shut/b"])


@case
def versions_need_an_action_of_their_own():
    there = bucket(versioning="Enabled")
    version = s3.put_object(Bucket=there, Key="a", Body=b"x")["VersionId"]
    policy(there, allow({"AWS": f"arn:aws:iam::{ACCOUNT}:user/idle"}, "s3:DeleteObject", "BUCKET/*"))
    answer = several(there, {"Key": "a", "VersionId": version}, by=user)
    same(answer["Errors"][0]["Code"], "AccessDenied")
    refused("AccessDenied", user.delete_object, Bucket=there, Key="a", VersionId=version)
    user.delete_object(Bucket=there, Key="a")


@case
def a_denial_holds_for_the_owner_too():
    there = filled("kept", "a")
    policy(there, deny("*", "s3:DeleteObject", "BUCKET/kept"))
    same([(item["Key"], item["Code"]) for item in several(there, "kept", "a")["Errors"]], [("kept", "AccessDenied")])
    refused("AccessDenied", s3.delete_object, Bucket=there, Key="kept")


@case
def strangers_delete_nothing():
    there = filled("a")
    for by in (other, anonymous):
        try:
            answer = several(there, "a", by=by)
        except by.exceptions.ClientError as error:
            same(error.response["Error"]["Code"], "AccessDenied")
        else:
            same(answer["Errors"][0]["Code"], "AccessDenied")
    same(keys(s3.list_objects_v2(Bucket=there)), ["a"])


run()
