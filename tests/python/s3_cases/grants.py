"""Access control lists, ownership controls and the block of public access."""

from cases import (
    ALL_USERS, AUTHENTICATED_USERS, OTHER_ACCOUNT, allow, anonymous, bucket, case, filled, keys, name, other,
    policy, read, refused, run, s3, same, signed, status, user,
)

ME = s3.list_buckets()["Owner"]["ID"]
THEM = other.list_buckets()["Owner"]["ID"]


def shown(answer):
    """The grants of an answer: to whom, and what."""
    grants = [(one["Grantee"].get("ID") or one["Grantee"].get("URI"), one["Permission"]) for one in answer["Grants"]]
    return sorted(grants)


def document(*grants, owner=None):
    def grantee(to):
        return {"Type": "Group", "URI": to} if to.startswith("http") else {"Type": "CanonicalUser", "ID": to}

    return {
        "Owner": {"ID": owner or ME},
        "Grants": [{"Grantee": grantee(to), "Permission": permission} for to, permission in grants],
    }


@case
def a_buckets_owner_has_full_control():
    answer = s3.get_bucket_acl(Bucket=bucket())
    same((answer["Owner"]["ID"], shown(answer)), (ME, [(ME, "FULL_CONTROL")]))
    same((len(ME), ME != THEM), (64, True))


@case
def an_objects_owner_has_full_control():
    answer = s3.get_object_acl(Bucket=filled("k"), Key="k")
    same((answer["Owner"]["ID"], shown(answer)), (ME, [(ME, "FULL_CONTROL")]))


@case
def lists_are_disabled_unless_they_are_enabled():
    there = filled("k")
    same(
        s3.get_bucket_ownership_controls(Bucket=there)["OwnershipControls"]["Rules"],
        [{"ObjectOwnership": "BucketOwnerEnforced"}],
    )
    refused("AccessControlListNotSupported", s3.put_bucket_acl, Bucket=there, ACL="public-read")
    refused("AccessControlListNotSupported", s3.put_object_acl, Bucket=there, Key="k", ACL="public-read")
    refused("AccessControlListNotSupported", s3.put_object, Bucket=there, Key="k", ACL="public-read")
    refused("AccessControlListNotSupported", s3.create_multipart_upload, Bucket=there, Key="k", ACL="public-read")


@case
def lists_that_say_nothing_new_are_taken_all_the_same():
    there = filled("k")
    s3.put_object(Bucket=there, Key="k", ACL="bucket-owner-full-control")
    # Many a tool sends this one with everything: to the bucket's own account it says the same.
    s3.put_object(Bucket=there, Key="k", ACL="private")
    refused("AccessControlListNotSupported", s3.put_object, Bucket=there, Key="k", ACL="authenticated-read")


@case
def a_bucket_is_made_with_a_list_only_where_lists_count():
    refused("InvalidBucketAclWithObjectOwnership", s3.create_bucket, Bucket=name(), ACL="public-read")
    # What is public is blocked where a bucket is new.
    refused(
        ("InvalidBucketAclWithBlockPublicAccessError", "AccessDenied"), s3.create_bucket, Bucket=name(),
        ObjectOwnership="ObjectWriter", ACL="public-read",
    )
    s3.create_bucket(Bucket=name(), ObjectOwnership="ObjectWriter", ACL="private")


@case
def public_lists_are_blocked_at_first():
    there = filled("k", acls=True)
    refused("AccessDenied", s3.put_bucket_acl, Bucket=there, ACL="public-read")
    refused("AccessDenied", s3.put_object_acl, Bucket=there, Key="k", ACL="authenticated-read")
    refused("AccessDenied", s3.put_object, Bucket=there, Key="k", ACL="public-read")


@case
def canned_lists_of_buckets():
    there = bucket(acls=True, public=True)
    owner = (ME, "FULL_CONTROL")
    for canned, more in [
        ("public-read", [(ALL_USERS, "READ")]), ("public-read-write", [(ALL_USERS, "READ"), (ALL_USERS, "WRITE")]),
        ("authenticated-read", [(AUTHENTICATED_USERS, "READ")]), ("private", []),
    ]:
        s3.put_bucket_acl(Bucket=there, ACL=canned)
        same(shown(s3.get_bucket_acl(Bucket=there)), sorted([owner, *more]))
    refused("InvalidArgument", s3.put_bucket_acl, Bucket=there, ACL="public-ready")


@case
def canned_lists_of_objects():
    there = filled("k", acls=True, public=True)
    owner = (ME, "FULL_CONTROL")
    for canned, more in [
        ("public-read", [(ALL_USERS, "READ")]), ("authenticated-read", [(AUTHENTICATED_USERS, "READ")]),
        ("bucket-owner-read", []), ("bucket-owner-full-control", []), ("private", []),
    ]:
        s3.put_object_acl(Bucket=there, Key="k", ACL=canned)
        same(shown(s3.get_object_acl(Bucket=there, Key="k")), sorted([owner, *more]))


@case
def a_list_is_given_with_an_object():
    there = bucket(acls=True, public=True)
    s3.put_object(Bucket=there, Key="k", Body=b"x", ACL="public-read")
    same(read(there, "k", anonymous), b"x")
    s3.put_object(Bucket=there, Key="k", Body=b"x")
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")


@case
def a_public_bucket_is_listed_by_everybody_and_its_objects_are_not_read():
    there = filled("k", acls=True, public=True)
    s3.put_bucket_acl(Bucket=there, ACL="public-read")
    for by in (anonymous, other):
        same(keys(by.list_objects_v2(Bucket=there)), ["k"])
        refused("AccessDenied", by.get_object, Bucket=there, Key="k")
        refused("AccessDenied", by.put_object, Bucket=there, Key="k", Body=b"x")
        refused("AccessDenied", by.get_bucket_acl, Bucket=there)


@case
def a_bucket_that_everybody_writes():
    there = filled("k", acls=True, public=True)
    s3.put_bucket_acl(Bucket=there, ACL="public-read-write")
    anonymous.put_object(Bucket=there, Key="theirs", Body=b"x")
    same(keys(anonymous.list_objects_v2(Bucket=there)), ["k", "theirs"])
    refused("AccessDenied", anonymous.delete_bucket, Bucket=there)
    refused("AccessDenied", anonymous.put_bucket_acl, Bucket=there, ACL="private")


@case
def authenticated_readers_have_an_account():
    there = filled("k", acls=True, public=True)
    s3.put_bucket_acl(Bucket=there, ACL="authenticated-read")
    same(keys(other.list_objects_v2(Bucket=there)), ["k"])
    refused("AccessDenied", anonymous.list_objects_v2, Bucket=there)
    s3.put_object_acl(Bucket=there, Key="k", ACL="authenticated-read")
    same(read(there, "k", other), b"k")
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")


@case
def what_a_grant_on_a_bucket_allows():
    for permission, allowed in [
        ("READ", {"list"}), ("WRITE", {"put"}), ("READ_ACP", {"get acl"}), ("WRITE_ACP", {"put acl"}),
        ("FULL_CONTROL", {"list", "put", "get acl", "put acl"}),
    ]:
        there = filled("k", acls=True)
        s3.put_bucket_acl(Bucket=there, AccessControlPolicy=document((ME, "FULL_CONTROL"), (THEM, permission)))
        same(shown(s3.get_bucket_acl(Bucket=there)), sorted([(ME, "FULL_CONTROL"), (THEM, permission)]))
        again = document((ME, "FULL_CONTROL"), (THEM, permission))
        for what, call, more in [
            ("list", other.list_objects_v2, {}), ("put", other.put_object, {"Key": "new", "Body": b"x"}),
            ("get acl", other.get_bucket_acl, {}), ("put acl", other.put_bucket_acl, {"AccessControlPolicy": again}),
        ]:
            if what in allowed:
                call(Bucket=there, **more)
            else:
                refused("AccessDenied", call, Bucket=there, **more)
        refused("AccessDenied", other.get_object, Bucket=there, Key="k")


@case
def what_a_grant_on_an_object_allows():
    for permission, allowed in [
        ("READ", {"read"}), ("READ_ACP", {"get acl"}), ("WRITE_ACP", {"put acl"}),
        ("FULL_CONTROL", {"read", "get acl", "put acl"}),
    ]:
        there = filled("k", acls=True)
        again = document((ME, "FULL_CONTROL"), (THEM, permission))
        s3.put_object_acl(Bucket=there, Key="k", AccessControlPolicy=again)
        for what, call, more in [
            ("read", other.get_object, {}), ("get acl", other.get_object_acl, {}),
            ("put acl", other.put_object_acl, {"AccessControlPolicy": again}),
        ]:
            if what in allowed:
                call(Bucket=there, Key="k", **more)
            else:
                refused("AccessDenied", call, Bucket=there, Key="k", **more)
        refused("AccessDenied", other.put_object, Bucket=there, Key="k", Body=b"x")
        refused("AccessDenied", other.delete_object, Bucket=there, Key="k")


@case
def grants_by_headers():
    there = bucket(acls=True)
    given = {"GrantFullControl": f'id="{ME}"', "GrantRead": f"id={THEM}", "GrantWriteACP": f"id={THEM}"}
    s3.put_bucket_acl(Bucket=there, **given)
    expected = sorted([(ME, "FULL_CONTROL"), (THEM, "READ"), (THEM, "WRITE_ACP")])
    same(shown(s3.get_bucket_acl(Bucket=there)), expected)
    s3.put_object(Bucket=there, Key="k", Body=b"x", **given)
    same(shown(s3.get_object_acl(Bucket=there, Key="k")), expected)
    same(read(there, "k", other), b"x")
    wanted = name()
    s3.create_bucket(Bucket=wanted, ObjectOwnership="ObjectWriter", **given)
    same(shown(s3.get_bucket_acl(Bucket=wanted)), expected)


@case
def a_list_and_grants_together_are_refused():
    there = bucket(acls=True)
    refused("InvalidRequest", s3.put_bucket_acl, Bucket=there, ACL="private", GrantRead=f"id={THEM}")


@case
def a_grantee_that_is_none_is_refused():
    there = bucket(acls=True)
    refused("InvalidArgument", s3.put_bucket_acl, Bucket=there, GrantRead="id=_foo")
    refused("InvalidArgument", s3.put_bucket_acl, Bucket=there, AccessControlPolicy=document(("_foo", "READ")))
    refused("InvalidArgument", s3.put_bucket_acl, Bucket=there, GrantRead='uri="http://example.com/everybody"')
    signed("PUT", f"/{there}?acl", b"<AccessControlPolicy>").expect(400, "MalformedXML")


@case
def nothing_at_all_is_no_list():
    there = bucket(acls=True)
    signed("PUT", f"/{there}?acl").expect(400, "MissingSecurityHeader")


@case
def a_list_may_be_empty_and_its_owner_still_changes_it():
    there = filled("k", acls=True)
    s3.put_bucket_acl(Bucket=there, AccessControlPolicy=document())
    same(shown(s3.get_bucket_acl(Bucket=there)), [])
    s3.put_bucket_acl(Bucket=there, ACL="private")
    same(shown(s3.get_bucket_acl(Bucket=there)), [(ME, "FULL_CONTROL")])


@case
def the_owner_of_a_list_cannot_be_changed():
    there = filled("k", acls=True)
    refused("AccessDenied", s3.put_bucket_acl, Bucket=there, AccessControlPolicy=document((THEM, "READ"), owner=THEM))
    refused(
        "AccessDenied", s3.put_object_acl, Bucket=there, Key="k",
        AccessControlPolicy=document((THEM, "READ"), owner=THEM),
    )


@case
def versions_have_their_own_lists():
    there = bucket(acls=True, public=True, versioning="Enabled")
    one = s3.put_object(Bucket=there, Key="k", Body=b"1")["VersionId"]
    two = s3.put_object(Bucket=there, Key="k", Body=b"2")["VersionId"]
    s3.put_object_acl(Bucket=there, Key="k", VersionId=one, ACL="public-read")
    same(len(s3.get_object_acl(Bucket=there, Key="k", VersionId=one)["Grants"]), 2)
    same(len(s3.get_object_acl(Bucket=there, Key="k")["Grants"]), 1)
    same(read(there, "k", anonymous, VersionId=one), b"1")
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k", VersionId=two)
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")


@case
def changing_a_list_changes_nothing_else():
    there = filled("k", acls=True)
    before = s3.head_object(Bucket=there, Key="k")
    s3.put_object_acl(Bucket=there, Key="k", AccessControlPolicy=document((ME, "FULL_CONTROL"), (THEM, "READ")))
    after = s3.head_object(Bucket=there, Key="k")
    same((after["ETag"], after["LastModified"]), (before["ETag"], before["LastModified"]))


@case
def an_object_is_its_writers():
    there = bucket(acls=True)
    policy(there, allow({"AWS": OTHER_ACCOUNT}, ["s3:PutObject", "s3:PutObjectAcl"], "BUCKET/*"))
    other.put_object(Bucket=there, Key="k", Body=b"x")
    same(other.get_object_acl(Bucket=there, Key="k")["Owner"]["ID"], THEM)
    same(read(there, "k", other), b"x")
    s3.delete_object(Bucket=there, Key="k")
    other.put_object(Bucket=there, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    same(read(there, "k"), b"x")


@case
def an_object_is_the_buckets_owners_where_that_is_preferred_and_said():
    there = bucket(ObjectOwnership="BucketOwnerPreferred")
    policy(there, allow({"AWS": OTHER_ACCOUNT}, ["s3:PutObject", "s3:PutObjectAcl"], "BUCKET/*"))
    other.put_object(Bucket=there, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    same(s3.get_object_acl(Bucket=there, Key="k")["Owner"]["ID"], ME)
    other.put_object(Bucket=there, Key="theirs", Body=b"x")
    same(other.get_object_acl(Bucket=there, Key="theirs")["Owner"]["ID"], THEM)


@case
def an_object_is_the_buckets_owners_where_that_is_enforced():
    there = bucket()
    policy(there, allow({"AWS": OTHER_ACCOUNT}, ["s3:PutObject", "s3:PutObjectAcl"], "BUCKET/*"))
    other.put_object(Bucket=there, Key="k", Body=b"x")
    same((s3.get_object_acl(Bucket=there, Key="k")["Owner"]["ID"], read(there, "k")), (ME, b"x"))


@case
def ownership_is_changed_and_deleted():
    there = bucket()
    for wanted in ("ObjectWriter", "BucketOwnerPreferred", "BucketOwnerEnforced"):
        s3.put_bucket_ownership_controls(Bucket=there, OwnershipControls={"Rules": [{"ObjectOwnership": wanted}]})
        found = s3.get_bucket_ownership_controls(Bucket=there)["OwnershipControls"]["Rules"]
        same(found, [{"ObjectOwnership": wanted}])
    same(status(s3.delete_bucket_ownership_controls(Bucket=there)), 204)
    refused("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls, Bucket=there)
    refused(
        "MalformedXML", s3.put_bucket_ownership_controls, Bucket=there,
        OwnershipControls={"Rules": [{"ObjectOwnership": "Mine"}]},
    )


@case
def lists_are_not_disabled_while_they_grant_something():
    there = bucket(acls=True)
    s3.put_bucket_acl(Bucket=there, AccessControlPolicy=document((ME, "FULL_CONTROL"), (THEM, "READ")))
    refused(
        "InvalidBucketAclWithObjectOwnership", s3.put_bucket_ownership_controls, Bucket=there,
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    )


@case
def lists_of_objects_do_not_count_once_they_are_disabled():
    there = bucket(acls=True, public=True)
    s3.put_object(Bucket=there, Key="k", Body=b"x", ACL="public-read")
    same(read(there, "k", anonymous), b"x")
    s3.put_bucket_ownership_controls(
        Bucket=there, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")
    s3.delete_bucket_ownership_controls(Bucket=there)
    same(read(there, "k", anonymous), b"x")


@case
def the_block_is_whole_at_first():
    blocked = s3.get_public_access_block(Bucket=bucket())["PublicAccessBlockConfiguration"]
    same(set(blocked.values()), {True})
    same(len(blocked), 4)


@case
def the_block_is_changed_and_deleted():
    there = bucket()
    wanted = {
        "BlockPublicAcls": True, "IgnorePublicAcls": False, "BlockPublicPolicy": True, "RestrictPublicBuckets": False,
    }
    s3.put_public_access_block(Bucket=there, PublicAccessBlockConfiguration=wanted)
    same(s3.get_public_access_block(Bucket=there)["PublicAccessBlockConfiguration"], wanted)
    s3.put_public_access_block(Bucket=there, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    same(s3.get_public_access_block(Bucket=there)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"], False)
    same(status(s3.delete_public_access_block(Bucket=there)), 204)
    refused("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block, Bucket=there)


@case
def public_lists_are_ignored():
    there = bucket(acls=True, public=True)
    s3.put_object(Bucket=there, Key="k", Body=b"x", ACL="public-read")
    s3.put_bucket_acl(Bucket=there, ACL="public-read")
    same(read(there, "k", anonymous), b"x")
    s3.put_public_access_block(Bucket=there, PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
    refused("AccessDenied", anonymous.get_object, Bucket=there, Key="k")
    refused("AccessDenied", anonymous.list_objects_v2, Bucket=there)
    same(len(s3.get_object_acl(Bucket=there, Key="k")["Grants"]), 2)


@case
def strangers_change_no_block():
    there = bucket()
    for by in (other, anonymous, user):
        refused("AccessDenied", by.delete_public_access_block, Bucket=there)
        refused("AccessDenied", by.put_bucket_ownership_controls, Bucket=there,
                OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})


run()
