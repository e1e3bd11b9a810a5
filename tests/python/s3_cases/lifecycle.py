"""Lifecycle rules: what may be set, and what objects tell of them. What they do is in tests of the service itself."""

import datetime

from cases import bucket, case, refused, run, s3, same, signed, status

RULE = {"ID": "rule1", "Filter": {"Prefix": "test1/"}, "Status": "Enabled", "Expiration": {"Days": 1}}


def put(there, *rules, **more):
    return s3.put_bucket_lifecycle_configuration(Bucket=there, LifecycleConfiguration={"Rules": list(rules)}, **more)


def told(there):
    return s3.get_bucket_lifecycle_configuration(Bucket=there)["Rules"]


def wrong(*rules, code=("InvalidArgument", "InvalidRequest", "MalformedXML")):
    return refused(code, put, bucket(), *rules)


@case
def rules_are_set_read_and_deleted():
    there = bucket()
    rules = [RULE, {**RULE, "ID": "rule2", "Filter": {"Prefix": "test2/"}, "Status": "Disabled", "Expiration": {"Days": 2}}]
    same(status(put(there, *rules)), 200)
    same(told(there), rules)
    same(status(s3.delete_bucket_lifecycle(Bucket=there)), 204)
    refused("NoSuchLifecycleConfiguration", told, there)


@case
def rules_replace_those_before():
    there = bucket()
    put(there, RULE)
    put(there, {**RULE, "ID": "other"})
    same([rule["ID"] for rule in told(there)], ["other"])


@case
def a_rule_without_an_id_gets_one():
    there = bucket()
    put(there, {key: value for key, value in RULE.items() if key != "ID"})
    assert told(there)[0]["ID"], told(there)


@case
def ids_are_short_and_each_is_there_once():
    wrong({**RULE, "ID": "x" * 256}, code="InvalidArgument")
    put(bucket(), {**RULE, "ID": "x" * 255})
    wrong(RULE, RULE, code=("InvalidArgument", "InvalidRequest"))


@case
def a_status_is_one_of_two():
    for value in ("enabled", "disabled", "invalid"):
        wrong({**RULE, "Status": value}, code="MalformedXML")


@case
def days_are_whole_and_at_least_one():
    wrong({**RULE, "Expiration": {"Days": 0}}, code="InvalidArgument")
    wrong({**RULE, "Expiration": {"Days": -1}}, code="InvalidArgument")
    put(bucket(), {**RULE, "Expiration": {"Days": 2147483647}})


@case
def a_date_is_midnight():
    there = bucket()
    date = datetime.datetime(2099, 9, 27, tzinfo=datetime.timezone.utc)
    put(there, {**RULE, "Expiration": {"Date": date}})
    same(told(there)[0]["Expiration"]["Date"], date)
    wrong({**RULE, "Expiration": {"Date": date.replace(hour=5)}}, code="InvalidArgument")
    there = bucket()
    rule = "<Rule><Filter/><Status>Enabled</Status><Expiration><Date>20200101</Date></Expiration></Rule>"
    body = f"<LifecycleConfiguration>{rule}</LifecycleConfiguration>".encode()
    answer = signed("PUT", f"/{there}?lifecycle", body)
    same(answer.status, 400)


@case
def days_and_a_date_together_are_refused():
    date = datetime.datetime(2099, 9, 27, tzinfo=datetime.timezone.utc)
    wrong({**RULE, "Expiration": {"Date": date, "Days": 1}})
    wrong({**RULE, "Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}})
    wrong({**RULE, "Expiration": {}})


@case
def a_rule_does_something():
    wrong({key: value for key, value in RULE.items() if key != "Expiration"})
    wrong()


@case
def filters_of_every_kind_come_back():
    there = bucket()
    tag = {"Key": "a", "Value": "b"}
    filters = [
        {"Prefix": "p/"}, {"Tag": tag}, {"ObjectSizeGreaterThan": 500}, {"ObjectSizeLessThan": 64000},
        {"And": {"Prefix": "q/", "Tags": [tag], "ObjectSizeGreaterThan": 1, "ObjectSizeLessThan": 9}},
        {"And": {"Tags": [tag, {"Key": "c", "Value": ""}]}},
    ]
    rules = [{**RULE, "ID": f"r{number}", "Filter": one} for number, one in enumerate(filters)]
    put(there, *rules)
    same(told(there), rules)


@case
def an_empty_filter_is_for_everything():
    there = bucket()
    put(there, {**RULE, "Filter": {}})
    same(len(told(there)), 1)
    put(there, {**RULE, "Filter": {"Prefix": ""}})


@case
def a_prefix_may_stand_outside_of_a_filter():
    there = bucket()
    rule = {key: value for key, value in RULE.items() if key != "Filter"}
    put(there, {**rule, "Prefix": "old/"})
    same((told(there)[0].get("Prefix"), "Filter" in told(there)[0]), ("old/", False))
    wrong({**RULE, "Prefix": "old/"})


@case
def older_versions_have_rules_of_their_own():
    there = bucket(versioning="Enabled")
    rule = {key: value for key, value in RULE.items() if key != "Expiration"}
    rules = [
        {**rule, "ID": "a", "NoncurrentVersionExpiration": {"NoncurrentDays": 2, "NewerNoncurrentVersions": 3}},
        {**rule, "ID": "b", "Filter": {"Prefix": "m/"}, "Expiration": {"ExpiredObjectDeleteMarker": True}},
    ]
    put(there, *rules)
    same(told(there), rules)
    wrong({**rule, "NoncurrentVersionExpiration": {"NoncurrentDays": 0}}, code="InvalidArgument")
    wrong({**rule, "NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 101}})


@case
def uploads_are_aborted():
    there = bucket()
    rule = {key: value for key, value in RULE.items() if key != "Expiration"}
    put(there, {**rule, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    same(told(there)[0]["AbortIncompleteMultipartUpload"], {"DaysAfterInitiation": 2})
    found = s3.create_multipart_upload(Bucket=there, Key="test1/k")
    assert found["AbortDate"] and found["AbortRuleId"] == "rule1", found
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=there, Key="other")
    wrong({**rule, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, code="InvalidArgument")


@case
def transitions_are_kept():
    there = bucket()
    rule = {
        **RULE, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
        "NoncurrentVersionTransitions": [{"NoncurrentDays": 30, "StorageClass": "STANDARD_IA"}],
        "Expiration": {"Days": 365},
    }
    put(there, rule)
    same(told(there), [rule])
    wrong({**RULE, "Transitions": [{"Days": 30, "StorageClass": "SHOEBOX"}], "Expiration": {"Days": 365}})


@case
def an_object_tells_when_it_expires():
    there = bucket()
    put(there, RULE, {**RULE, "ID": "tagged", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 10}})
    answer = s3.put_object(Bucket=there, Key="test1/k", Body=b"x")
    head = s3.head_object(Bucket=there, Key="test1/k")
    assert 'rule-id="rule1"' in head["Expiration"], head
    same(answer.get("Expiration"), head["Expiration"])
    date = head["Expiration"].split('"')[1]
    when = datetime.datetime.strptime(date, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)
    days = (when - head["LastModified"]).total_seconds() / 86400
    assert 1 <= days <= 2 and (when.hour, when.minute, when.second) == (0, 0, 0), head
    s3.put_object(Bucket=there, Key="other", Body=b"x")
    assert "Expiration" not in s3.head_object(Bucket=there, Key="other")
    s3.put_object(Bucket=there, Key="tagged", Body=b"x", Tagging="a=b")
    assert 'rule-id="tagged"' in s3.head_object(Bucket=there, Key="tagged")["Expiration"]


@case
def a_disabled_rule_tells_nothing():
    there = bucket()
    put(there, {**RULE, "Status": "Disabled"})
    s3.put_object(Bucket=there, Key="test1/k", Body=b"x")
    assert "Expiration" not in s3.head_object(Bucket=there, Key="test1/k")


@case
def a_thousand_rules_and_no_more():
    rules = [{**RULE, "ID": f"r{number}", "Filter": {"Prefix": f"{number}/"}} for number in range(1001)]
    wrong(*rules)
    put(bucket(), *rules[:200])


@case
def a_document_that_is_none_is_refused():
    there = bucket()
    for body in (b"", b"<x/>", b"<LifecycleConfiguration>"):
        same(signed("PUT", f"/{there}?lifecycle", body).status, 400)


run()
