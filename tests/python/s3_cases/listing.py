"""Listing objects: both ways of asking, delimiters, prefixes, markers, pages, encoding."""

from urllib.parse import quote

from cases import (
    ACCOUNT, anonymous, bucket, case, filled, keys, other, prefixes, refused, run, s3, same, signed, status, target,
)


def both(bucket, **arguments):
    """The answers of both ways of asking, which have keys and prefixes in common."""
    one, two = s3.list_objects(Bucket=bucket, **arguments), s3.list_objects_v2(Bucket=bucket, **arguments)
    same((keys(one), prefixes(one), one["IsTruncated"]), (keys(two), prefixes(two), two["IsTruncated"]))
    same(two["KeyCount"], len(keys(two)) + len(prefixes(two)))
    return keys(two), prefixes(two)


def pages(operation, **arguments):
    size = arguments.pop("size")
    return list(s3.get_paginator(operation).paginate(PaginationConfig={"PageSize": size}, **arguments))


def walked(bucket, size, delimiter, prefix=""):
    """What both ways list when it is taken few by few, each page no longer than it may be."""
    found = []
    for operation in ("list_objects", "list_objects_v2"):
        taken = pages(operation, size=size, Bucket=bucket, Delimiter=delimiter, Prefix=prefix)
        lengths = [len(keys(page)) + len(prefixes(page)) for page in taken]
        assert all(length == size for length in lengths[:-1]) and 0 < lengths[-1] <= size, lengths
        found.append(([key for page in taken for key in keys(page)], [one for page in taken for one in prefixes(page)]))
    same(found[0], found[1])
    return found[0]


@case
def an_empty_bucket_lists_nothing():
    there = bucket()
    same(both(there), ([], []))
    assert "Contents" not in s3.list_objects(Bucket=there)


@case
def buckets_have_their_own_keys():
    one, two = filled("a"), bucket()
    same((both(one), both(two)), ((["a"], []), ([], [])))


@case
def keys_come_in_the_order_of_their_bytes():
    order = ["-", "0", "A", "Z", "_", "a", "a/", "a/b", "a0", "z", "~", "é", "日", "\U0001f600"]
    same(both(filled(*reversed(order)))[0], order)


@case
def a_delimiter_rolls_keys_up():
    there = filled("foo/bar", "foo/bar/xyzzy", "quux/thud", "asdf")
    same(both(there, Delimiter="/"), (["asdf"], ["foo/", "quux/"]))


@case
def a_delimiter_may_be_any_text():
    there = filled("bar", "baz", "cab", "foo")
    same(both(there, Delimiter="a"), (["foo"], ["ba", "ca"]))
    there = filled("b%ar", "b%az", "c%ab", "foo")
    same(both(there, Delimiter="%"), (["foo"], ["b%", "c%"]))
    there = filled("b ar", "b az", "c ab", "foo")
    same(both(there, Delimiter=" "), (["foo"], ["b ", "c "]))
    there = filled("b.ar", "b.az", "c.ab", "foo")
    same(both(there, Delimiter="."), (["foo"], ["b.", "c."]))
    there = filled("x--y--z", "x--a", "x-b")
    same(both(there, Delimiter="--"), (["x-b"], ["x--"]))
    there = filled("zéa", "zéb", "y")
    same(both(there, Delimiter="é"), (["y"], ["zé"]))


@case
def a_delimiter_that_is_in_no_key_rolls_nothing_up():
    same(both(filled("bar", "baz"), Delimiter="/"), (["bar", "baz"], []))


@case
def an_unreadable_delimiter_rolls_nothing_up():
    same(both(filled("bar", "baz"), Delimiter="\x0a"), (["bar", "baz"], []))


@case
def an_empty_delimiter_is_none():
    there = filled("a/b", "c")
    for answer in (s3.list_objects(Bucket=there, Delimiter=""), s3.list_objects_v2(Bucket=there, Delimiter="")):
        assert "Delimiter" not in answer, answer
        same(keys(answer), ["a/b", "c"])
    assert "Delimiter" not in s3.list_objects_v2(Bucket=there)


@case
def a_delimiter_counts_after_the_prefix():
    there = filled("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")
    same(both(there, Prefix="boo/", Delimiter="/"), (["boo/bar"], ["boo/baz/"]))
    same(both(there, Prefix="boo", Delimiter="/"), ([], ["boo/"]))


@case
def a_key_that_is_the_prefix_is_listed():
    there = filled("asdf/")
    same(both(there, Prefix="asdf/", Delimiter="/"), (["asdf/"], []))
    same(both(there, Prefix="asdf", Delimiter="/"), ([], ["asdf/"]))
    same(both(there, Delimiter="/"), ([], ["asdf/"]))


@case
def a_prefix_may_end_anywhere():
    there = filled("_obj1_", "_under1/bar", "_under1/baz/xyzzy", "_under2/thud", "_under2/bla")
    same(both(there, Delimiter="/", Prefix="_"), (["_obj1_"], ["_under1/", "_under2/"]))
    same(both(there, Delimiter="/", Prefix="_under1/"), (["_under1/bar"], ["_under1/baz/"]))


@case
def keys_next_to_a_rolled_up_one_are_not_lost():
    there = filled("0/", "0/1", "00", "0.", "0" + "\U0010ffff")
    same(both(there, Delimiter="/"), (["0.", "00", "0\U0010ffff"], ["0/"]))
    same(walked(there, 1, "/"), (["0.", "00", "0\U0010ffff"], ["0/"]))


@case
def a_prefix_limits_what_is_listed():
    there = filled("foo/bar", "foo/baz", "quux")
    same(both(there, Prefix="foo/"), (["foo/bar", "foo/baz"], []))
    same(both(there, Prefix=""), (["foo/bar", "foo/baz", "quux"], []))
    same(both(there, Prefix="d"), ([], []))
    same(both(there, Prefix="\x0a"), ([], []))
    same(s3.list_objects_v2(Bucket=there, Prefix="foo/")["Prefix"], "foo/")


@case
def prefixes_and_delimiters_that_match_nothing():
    there = filled("b/a/c", "b/a/g", "b/a/r", "g")
    same(both(there, Prefix="d", Delimiter="/"), ([], []))
    same(both(there, Prefix="b", Delimiter="z"), (["b/a/c", "b/a/g", "b/a/r"], []))
    same(both(there, Prefix="y", Delimiter="z"), ([], []))


@case
def signs_of_patterns_and_queries_are_signs_of_keys():
    odd = ["%", "%2F", "*", "_", "a%", "a&b=c", "a+b", "a_b", "aXb", "[x]", "\\", "'", '"', "<a>", "?"]
    there = filled(*odd)
    same(sorted(both(there)[0]), sorted(odd))
    same(both(there, Prefix="a_"), (["a_b"], []))
    same(both(there, Prefix="a%"), (["a%"], []))
    same(both(there, Prefix="a+"), (["a+b"], []))
    same(both(there, Prefix="%2"), (["%2F"], []))
    for key in odd:
        same(s3.get_object(Bucket=there, Key=key)["Body"].read(), key.encode())


@case
def as_many_keys_come_as_are_wanted_at_most():
    there = filled("bar", "baz", "foo", "quxx")
    one = s3.list_objects(Bucket=there, MaxKeys=1)
    same((keys(one), one["IsTruncated"], one["MaxKeys"]), (["bar"], True, 1))
    rest = s3.list_objects(Bucket=there, Marker="bar")
    same((keys(rest), rest["IsTruncated"], rest["MaxKeys"]), (["baz", "foo", "quxx"], False, 1000))
    two = s3.list_objects_v2(Bucket=there, MaxKeys=1)
    same((keys(two), two["IsTruncated"], two["KeyCount"]), (["bar"], True, 1))
    rest = s3.list_objects_v2(Bucket=there, StartAfter="bar")
    same((keys(rest), rest["IsTruncated"]), (["baz", "foo", "quxx"], False))
    four = s3.list_objects_v2(Bucket=there, MaxKeys=4)
    same((len(keys(four)), four["IsTruncated"]), (4, False))
    assert "NextContinuationToken" not in four


@case
def no_keys_may_be_wanted():
    there = filled("bar", "baz")
    for answer in (s3.list_objects(Bucket=there, MaxKeys=0), s3.list_objects_v2(Bucket=there, MaxKeys=0)):
        same((keys(answer), answer["IsTruncated"], answer["MaxKeys"]), ([], False, 0))


@case
def more_than_a_thousand_keys_are_not_wanted():
    there = filled("a")
    same(s3.list_objects_v2(Bucket=there, MaxKeys=5000)["MaxKeys"], 1000)


@case
def a_number_of_keys_that_is_none_is_refused():
    there = filled("a")
    for wrong in ("blah", "-1", "1.5", "99999999999", "%20"):
        signed("GET", f"/{there}?max-keys={wrong}").expect(400, "InvalidArgument")
        signed("GET", f"/{there}?list-type=2&max-keys={wrong}").expect(400, "InvalidArgument")


@case
def pages_follow_each_other_without_gap():
    expected = [f"k{number:03}" for number in range(25)]
    same(walked(filled(*expected), 7, ""), (expected, []))


@case
def pages_follow_each_other_with_a_delimiter():
    there = filled("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla", "d")
    for size in (1, 2, 3, 5):
        same(walked(there, size, "/"), (["asdf", "d"], ["boo/", "cquux/"]))
    same(walked(there, 1, "/", "boo/"), (["boo/bar"], ["boo/baz/"]))


@case
def the_first_way_goes_on_after_a_prefix():
    there = filled("asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla")
    one = s3.list_objects(Bucket=there, Delimiter="/", MaxKeys=2)
    same((keys(one), prefixes(one), one["NextMarker"]), (["asdf"], ["boo/"], "boo/"))
    two = s3.list_objects(Bucket=there, Delimiter="/", MaxKeys=2, Marker=one["NextMarker"])
    same((keys(two), prefixes(two), two["IsTruncated"]), ([], ["cquux/"], False))
    assert "NextMarker" not in two


@case
def the_next_marker_is_told_with_a_delimiter_only():
    there = filled("a", "b", "c")
    assert "NextMarker" not in s3.list_objects(Bucket=there, MaxKeys=1)


@case
def a_marker_may_be_anything():
    there = filled("bar", "baz", "foo", "quxx")
    same(keys(s3.list_objects(Bucket=there, Marker="")), ["bar", "baz", "foo", "quxx"])
    same(keys(s3.list_objects(Bucket=there, Marker="\x0a")), ["bar", "baz", "foo", "quxx"])
    same(keys(s3.list_objects(Bucket=there, Marker="blah")), ["foo", "quxx"])
    same(keys(s3.list_objects(Bucket=there, Marker="zzz")), [])
    answer = s3.list_objects(Bucket=there, Marker="zzz")
    same((answer["Marker"], answer["IsTruncated"]), ("zzz", False))


@case
def starting_after_may_be_after_anything():
    there = filled("bar", "baz", "foo", "quxx")
    same(keys(s3.list_objects_v2(Bucket=there, StartAfter="\x0a")), ["bar", "baz", "foo", "quxx"])
    same(keys(s3.list_objects_v2(Bucket=there, StartAfter="blah")), ["foo", "quxx"])
    same(keys(s3.list_objects_v2(Bucket=there, StartAfter="zzz")), [])
    same(s3.list_objects_v2(Bucket=there, StartAfter="zzz")["StartAfter"], "zzz")


@case
def a_token_counts_for_more_than_where_to_start():
    there = filled("bar", "baz", "foo", "quxx")
    one = s3.list_objects_v2(Bucket=there, StartAfter="bar", MaxKeys=1)
    same(keys(one), ["baz"])
    two = s3.list_objects_v2(Bucket=there, StartAfter="bar", ContinuationToken=one["NextContinuationToken"])
    same((keys(two), two["IsTruncated"], two["StartAfter"]), (["foo", "quxx"], False, "bar"))
    same(two["ContinuationToken"], one["NextContinuationToken"])


@case
def a_token_that_is_none_or_of_another_bucket_is_refused():
    there, elsewhere = filled("a", "b"), filled("a", "b")
    token = s3.list_objects_v2(Bucket=elsewhere, MaxKeys=1)["NextContinuationToken"]
    refused("InvalidArgument", s3.list_objects_v2, Bucket=there, ContinuationToken=token)
    refused("InvalidArgument", s3.list_objects_v2, Bucket=there, ContinuationToken="made up")
    refused("InvalidArgument", s3.list_objects_v2, Bucket=there, ContinuationToken="")


@case
def what_is_deleted_meanwhile_stops_no_listing():
    there = filled("a", "b", "c", "d")
    one = s3.list_objects_v2(Bucket=there, MaxKeys=2)
    s3.delete_object(Bucket=there, Key="b")
    s3.delete_object(Bucket=there, Key="c")
    same(keys(s3.list_objects_v2(Bucket=there, ContinuationToken=one["NextContinuationToken"])), ["d"])


@case
def an_owner_is_told_where_it_is_asked_for():
    there = filled("a")
    assert s3.list_objects(Bucket=there)["Contents"][0]["Owner"]["ID"]
    assert "Owner" not in s3.list_objects_v2(Bucket=there)["Contents"][0]
    assert "Owner" not in s3.list_objects_v2(Bucket=there, FetchOwner=False)["Contents"][0]
    assert s3.list_objects_v2(Bucket=there, FetchOwner=True)["Contents"][0]["Owner"]["ID"]


@case
def what_is_listed_is_what_head_tells():
    there = bucket()
    for key, content in (("bar", b"12345"), ("foo", b"")):
        s3.put_object(Bucket=there, Key=key, Body=content, StorageClass="STANDARD_IA" if key == "bar" else "STANDARD")
    for item in s3.list_objects(Bucket=there)["Contents"]:
        head = s3.head_object(Bucket=there, Key=item["Key"])
        same((item["ETag"], item["Size"]), (head["ETag"], head["ContentLength"]))
        same(item["LastModified"].replace(microsecond=0), head["LastModified"])
        same(item["StorageClass"], head.get("StorageClass", "STANDARD"))


@case
def the_kind_of_checksum_is_listed():
    there = bucket()
    s3.put_object(Bucket=there, Key="a", Body=b"x", ChecksumAlgorithm="SHA256")
    (item,) = s3.list_objects_v2(Bucket=there)["Contents"]
    same((item["ChecksumAlgorithm"], item["ChecksumType"]), (["SHA256"], "FULL_OBJECT"))


@case
def keys_are_encoded_where_it_is_asked_for():
    there = filled("foo+1/bar", "foo/bar/xyzzy", "quux ab/thud", "asdf+b")
    for kind in ("", "list-type=2&"):
        answer = signed("GET", f"/{there}?{kind}delimiter=%2F&encoding-type=url").expect(200)
        for part in ("<Key>asdf%2Bb</Key>", "<Prefix>foo%2B1/</Prefix>", "<Prefix>foo/</Prefix>", "<Prefix>quux%20ab/</Prefix>"):
            assert part in answer.text, (part, answer.text)
        assert "<EncodingType>url</EncodingType>" in answer.text
    signed("GET", f"/{there}?encoding-type=base64").expect(400, "InvalidArgument")


@case
def keys_are_read_as_they_were_written():
    odd = ["a b", "a+b", "a%20b", "ü/ß", "\U0001f600", "a//b", "/a", "a/", "..", "a/../b", ".", " ", "a\tb", "a\nb", "x\u200by"]
    there = filled(*odd)
    same(sorted(keys(s3.list_objects_v2(Bucket=there))), sorted(odd))
    for key in odd:
        same(s3.get_object(Bucket=there, Key=key)["Body"].read(), key.encode())
        s3.delete_object(Bucket=there, Key=key)
    same(keys(s3.list_objects_v2(Bucket=there)), [])


@case
def control_characters_in_keys_do_not_break_the_document():
    there = bucket()
    odd = [chr(code) + "k" for code in range(1, 32)]
    for key in odd:
        signed("PUT", target(f"/{there}/{key}"), b"x").expect(200)
    same(keys(s3.list_objects_v2(Bucket=there)), odd)
    plain = signed("GET", f"/{there}?list-type=2").expect(200)
    assert "&#x1;" in plain.text or quote("\x01") in plain.text or "\x01" not in plain.text, plain.text[:500]


@case
def another_account_and_nobody_list_what_they_are_let_list_only():
    there = filled("a")
    for by in (other, anonymous):
        same(status(refused("AccessDenied", by.list_objects, Bucket=there)), 403)
        same(status(refused("AccessDenied", by.list_objects_v2, Bucket=there)), 403)


@case
def the_owner_has_the_ids_that_owners_have():
    answer = s3.list_objects(Bucket=filled("a"))
    same(answer["Contents"][0]["Owner"]["ID"], s3.list_buckets()["Owner"]["ID"])
    assert ACCOUNT not in answer["Contents"][0]["Owner"]["ID"] or len(answer["Contents"][0]["Owner"]["ID"]) == 64


@case
def a_listing_of_several_pages_of_prefixes_is_whole():
    there = filled(*[f"p{number:02}/{part}" for number in range(30) for part in "abc"])
    expected = [f"p{number:02}/" for number in range(30)]
    same(walked(there, 7, "/"), ([], expected))
    same(walked(there, 30, "/"), ([], expected))


run()
