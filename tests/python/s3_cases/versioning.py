"""Versions: enabled, suspended, null versions, delete markers, listings, and many at once."""

import threading

from cases import (
    allow, anonymous, bucket, case, client, filled, keys, name, policy, read, refused, run, s3, same, signed,
    status,
)


def put(there, content, key="k"):
    return s3.put_object(Bucket=there, Key=key, Body=content).get("VersionId")


def set_to(there, wanted):
    s3.put_bucket_versioning(Bucket=there, VersioningConfiguration={"Status": wanted})


def listed(there, **more):
    """The versions and the markers of a bucket, each with whether it is the latest."""
    answer = s3.list_object_versions(Bucket=there, **more)
    shown = lambda kind: [(one["Key"], one["VersionId"], one["IsLatest"]) for one in answer.get(kind, [])]
    return shown("Versions"), shown("DeleteMarkers")


@case
def versioning_is_never_enabled_and_suspended():
    there = bucket()
    assert "Status" not in s3.get_bucket_versioning(Bucket=there)
    for wanted in ("Suspended", "Enabled", "Enabled", "Suspended"):
        set_to(there, wanted)
        same(s3.get_bucket_versioning(Bucket=there)["Status"], wanted)
    for wrong in ("Off", "enabled"):
        refused(("MalformedXML", "IllegalVersioningConfigurationException"), set_to, there, wrong)


@case
def deletion_with_a_second_factor_is_not_served():
    there = bucket()
    refused(
        ("NotImplemented", "InvalidRequest", "AccessDenied"), s3.put_bucket_versioning, Bucket=there,
        VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}, MFA="arn:aws:iam::1:mfa/x 123456",
    )


@case
def without_versions_no_id_is_told():
    there = bucket()
    assert put(there, b"x") is None
    assert "VersionId" not in s3.get_object(Bucket=there, Key="k")
    assert "VersionId" not in s3.delete_object(Bucket=there, Key="k")


@case
def each_write_makes_a_version():
    there = bucket(versioning="Enabled")
    ids = [put(there, b"%d" % number) for number in range(4)]
    same(len(set(ids)), 4)
    same(s3.get_object(Bucket=there, Key="k")["VersionId"], ids[3])
    for number, version in enumerate(ids):
        found = s3.get_object(Bucket=there, Key="k", VersionId=version)
        same((found["Body"].read(), found["VersionId"]), (b"%d" % number, version))
        same(s3.head_object(Bucket=there, Key="k", VersionId=version)["ContentLength"], 1)
    same(listed(there)[0], [("k", version, version == ids[3]) for version in reversed(ids)])


@case
def what_was_there_before_is_the_null_version():
    there = bucket()
    put(there, b"old")
    set_to(there, "Enabled")
    same(s3.get_object(Bucket=there, Key="k", VersionId="null")["Body"].read(), b"old")
    same(s3.head_object(Bucket=there, Key="k")["VersionId"], "null")
    new = put(there, b"new")
    same(read(there, "k", VersionId="null"), b"old")
    same(listed(there)[0], [("k", new, True), ("k", "null", False)])


@case
def the_null_version_is_deleted_by_its_name():
    there = bucket()
    put(there, b"old")
    set_to(there, "Enabled")
    new = put(there, b"new")
    same(s3.delete_object(Bucket=there, Key="k", VersionId="null")["VersionId"], "null")
    same(listed(there), ([("k", new, True)], []))
    refused(("NoSuchVersion", "NoSuchKey"), s3.get_object, Bucket=there, Key="k", VersionId="null")


@case
def where_versions_are_suspended_the_null_version_is_written_over():
    there = bucket(versioning="Enabled")
    first = put(there, b"first")
    set_to(there, "Suspended")
    assert put(there, b"one") in (None, "null")
    put(there, b"two")
    same(listed(there)[0], [("k", "null", True), ("k", first, False)])
    same((read(there, "k"), read(there, "k", VersionId=first)), (b"two", b"first"))
    set_to(there, "Enabled")
    third = put(there, b"third")
    same([one[1] for one in listed(there)[0]], [third, "null", first])


@case
def where_versions_are_suspended_deletion_makes_a_null_marker():
    there = bucket(versioning="Enabled")
    first = put(there, b"first")
    set_to(there, "Suspended")
    put(there, b"null one")
    answer = s3.delete_object(Bucket=there, Key="k")
    same((answer["DeleteMarker"], answer["VersionId"]), (True, "null"))
    same(listed(there), ([("k", first, False)], [("k", "null", True)]))
    s3.delete_object(Bucket=there, Key="k")
    same(listed(there)[1], [("k", "null", True)])
    put(there, b"back")
    same(listed(there), ([("k", "null", True), ("k", first, False)], []))


@case
def deletion_makes_a_marker():
    there = bucket(versioning="Enabled")
    version = put(there, b"x")
    answer = s3.delete_object(Bucket=there, Key="k")
    same(answer["DeleteMarker"], True)
    marker = answer["VersionId"]
    missing = signed("GET", f"/{there}/k").expect(404, "NoSuchKey")
    same((missing.headers["x-amz-delete-marker"], missing.headers["x-amz-version-id"]), ("true", marker))
    same(signed("HEAD", f"/{there}/k").status, 404)
    same(keys(s3.list_objects_v2(Bucket=there)), [])
    same(listed(there), ([("k", version, False)], [("k", marker, True)]))
    same(read(there, "k", VersionId=version), b"x")


@case
def a_marker_cannot_be_read():
    there = bucket(versioning="Enabled")
    put(there, b"x")
    marker = s3.delete_object(Bucket=there, Key="k")["VersionId"]
    answer = signed("GET", f"/{there}/k?versionId={marker}").expect(405, "MethodNotAllowed")
    same((answer.headers["x-amz-delete-marker"], answer.headers["allow"]), ("true", "DELETE"))
    assert "last-modified" in answer.headers, answer.headers
    same(signed("HEAD", f"/{there}/k?versionId={marker}").status, 405)


@case
def deleting_a_marker_brings_the_object_back():
    there = bucket(versioning="Enabled")
    put(there, b"x")
    marker = s3.delete_object(Bucket=there, Key="k")["VersionId"]
    answer = s3.delete_object(Bucket=there, Key="k", VersionId=marker)
    same((answer["DeleteMarker"], answer["VersionId"]), (True, marker))
    same(read(there, "k"), b"x")


@case
def each_deletion_makes_another_marker():
    there = bucket(versioning="Enabled")
    markers = {s3.delete_object(Bucket=there, Key="k")["VersionId"] for _ in range(3)}
    same(len(markers), 3)
    same({one[1] for one in listed(there)[1]}, markers)


@case
def deleting_the_latest_version_uncovers_the_one_before():
    there = bucket(versioning="Enabled")
    ids = [put(there, b"%d" % number) for number in range(3)]
    for number in (2, 1):
        answer = s3.delete_object(Bucket=there, Key="k", VersionId=ids[number])
        same((answer["VersionId"], "DeleteMarker" in answer), (ids[number], False))
        same(read(there, "k"), b"%d" % (number - 1))
    s3.delete_object(Bucket=there, Key="k", VersionId=ids[0])
    refused("NoSuchKey", s3.get_object, Bucket=there, Key="k")


@case
def versions_in_between_are_deleted():
    there = bucket(versioning="Enabled")
    ids = [put(there, b"%d" % number) for number in range(5)]
    s3.delete_object(Bucket=there, Key="k", VersionId=ids[2])
    same([one[1] for one in listed(there)[0]], [ids[4], ids[3], ids[1], ids[0]])


@case
def a_version_that_is_not_there():
    there = bucket(versioning="Enabled")
    version = put(there, b"x")
    s3.delete_object(Bucket=there, Key="k", VersionId=version)
    same(status(refused("NoSuchVersion", s3.get_object, Bucket=there, Key="k", VersionId=version)), 404)
    refused("404", s3.head_object, Bucket=there, Key="k", VersionId=version)
    same(status(s3.delete_object(Bucket=there, Key="k", VersionId=version)), 204)
    refused("InvalidArgument", s3.get_object, Bucket=there, Key="k", VersionId="nonsense")


@case
def a_version_belongs_to_its_key():
    there = bucket(versioning="Enabled")
    version = put(there, b"x", "a")
    put(there, b"y", "b")
    refused("NoSuchVersion", s3.get_object, Bucket=there, Key="b", VersionId=version)
    s3.delete_object(Bucket=there, Key="b", VersionId=version)
    same(read(there, "a"), b"x")


@case
def odd_names_have_versions():
    there = bucket(versioning="Enabled")
    for key in ("_", ":", " ", "a/b", "ü", "a\u0001b", "%"):
        ids = [put(there, b"%d" % number, key) for number in range(2)]
        same([one[1] for one in listed(there, Prefix=key)[0]], ids[::-1])
        for version in ids:
            s3.delete_object(Bucket=there, Key=key, VersionId=version)
    same(listed(there), ([], []))


@case
def versions_keep_what_was_said_of_them():
    there = bucket(versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="k", Metadata={"n": "1"}, ContentType="text/one", Tagging="a=1")["VersionId"]
    s3.put_object(Bucket=there, Key="k", Metadata={"n": "2"})
    found = s3.head_object(Bucket=there, Key="k", VersionId=one)
    same((found["Metadata"], found["ContentType"]), ({"n": "1"}, "text/one"))
    same(s3.get_object_tagging(Bucket=there, Key="k", VersionId=one)["TagSet"], [{"Key": "a", "Value": "1"}])


@case
def versions_are_listed_page_by_page():
    there = bucket(versioning="Enabled")
    made = [("a", put(there, b"1", "a")) for _ in range(3)] + [("b", put(there, b"1", "b")) for _ in range(2)]
    made.append(("b", s3.delete_object(Bucket=there, Key="b")["VersionId"]))
    for size in (1, 2, 4):
        pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=there, PaginationConfig={"PageSize": size}))
        found = [(one["Key"], one["VersionId"]) for page in pages
                 for one in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        same((sorted(found), len(found)), (sorted(made), 6))
        same(len(pages), -(-6 // size))


@case
def versions_are_listed_after_a_key_and_a_version():
    there = bucket(versioning="Enabled")
    ids = [put(there, b"1", "a") for _ in range(3)]
    last = put(there, b"1", "b")
    same([one[1] for one in listed(there, KeyMarker="a")[0]], [last])
    same([one[1] for one in listed(there, KeyMarker="a", VersionIdMarker=ids[2])[0]], [ids[1], ids[0], last])
    refused("InvalidArgument", s3.list_object_versions, Bucket=there, VersionIdMarker=ids[2])


@case
def versions_are_rolled_up():
    there = bucket(versioning="Enabled")
    for key in ("a/1", "a/1", "a/2", "b", "c/1"):
        put(there, b"x", key)
    s3.delete_object(Bucket=there, Key="c/1")
    answer = s3.list_object_versions(Bucket=there, Delimiter="/")
    same([one["Key"] for one in answer["Versions"]], ["b"])
    same([one["Prefix"] for one in answer["CommonPrefixes"]], ["a/", "c/"])
    answer = s3.list_object_versions(Bucket=there, Delimiter="/", MaxKeys=1)
    same(([one["Prefix"] for one in answer["CommonPrefixes"]], answer["IsTruncated"]), (["a/"], True))
    rest = s3.list_object_versions(Bucket=there, Delimiter="/", KeyMarker=answer["NextKeyMarker"])
    same(([one["Key"] for one in rest["Versions"]], [one["Prefix"] for one in rest["CommonPrefixes"]]), (["b"], ["c/"]))


@case
def keys_of_versions_are_encoded_where_it_is_asked_for():
    there = bucket(versioning="Enabled")
    put(there, b"x", "a+b c")
    answer = signed("GET", f"/{there}?versions&encoding-type=url").expect(200)
    assert "<Key>a%2Bb%20c</Key>" in answer.text, answer.text


@case
def versions_of_a_bucket_without_versions_are_null():
    there = filled("a", "b")
    same(listed(there)[0], [("a", "null", True), ("b", "null", True)])


@case
def markers_are_not_counted_as_objects_page_by_page():
    there = bucket(versioning="Enabled")
    for number in range(12):
        put(there, b"x", f"k{number:02}")
        if number % 3:
            s3.delete_object(Bucket=there, Key=f"k{number:02}")
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=there, PaginationConfig={"PageSize": 2}):
        found += keys(page)
    same(found, ["k00", "k03", "k06", "k09"])


@case
def reading_a_version_needs_an_action_of_its_own():
    there = bucket(versioning="Enabled", public=True)
    version = put(there, b"x")
    policy(there, allow("*", "s3:GetObject", "BUCKET/*"))
    same(read(there, "k", anonymous), b"x")
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k", VersionId=version)
    policy(there, allow("*", "s3:GetObjectVersion", "BUCKET/*"))
    same(read(there, "k", anonymous, VersionId=version), b"x")


@case
def versions_that_are_made_at_once_are_all_there():
    there, made, mine = bucket(versioning="Enabled"), [], client(max_pool_connections=8)

    def write(number):
        made.append(mine.put_object(Bucket=there, Key="k", Body=b"%d" % number)["VersionId"])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = listed(there)[0]
    same(sorted(one[1] for one in versions), sorted(made))
    same([one[2] for one in versions], [True] + [False] * 11)


@case
def versions_are_made_and_deleted_at_once():
    there, mine = bucket(versioning="Enabled"), client(max_pool_connections=8)

    def come_and_go(number):
        for _ in range(4):
            version = mine.put_object(Bucket=there, Key="k", Body=b"%d" % number)["VersionId"]
            mine.delete_object(Bucket=there, Key="k", VersionId=version)

    threads = [threading.Thread(target=come_and_go, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(listed(there), ([], []))
    s3.delete_bucket(Bucket=there)


@case
def an_upload_into_a_suspended_bucket_replaces_the_null_version():
    there = bucket(versioning="Suspended")
    put(there, b"old")
    upload = s3.create_multipart_upload(Bucket=there, Key="k")["UploadId"]
    etag = s3.upload_part(Bucket=there, Key="k", UploadId=upload, PartNumber=1, Body=b"new")["ETag"]
    s3.complete_multipart_upload(
        Bucket=there, Key="k", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    same((listed(there)[0], read(there, "k")), ([("k", "null", True)], b"new"))


@case
def versions_of_a_bucket_that_is_not_there():
    refused("NoSuchBucket", s3.get_bucket_versioning, Bucket=name())
    refused("NoSuchBucket", set_to, name(), "Enabled")


run()
