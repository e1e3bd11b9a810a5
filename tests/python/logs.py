"""CloudWatch Logs: groups, streams, events, filters, and all that hangs on a group."""

import json
import sys
import time

from steps import client, coded, finish, refused, same

account = sys.argv[1]
region = "us-east-1"
# A host name of its own for streams leads nowhere here.
logs = client("logs", settings={"inject_host_prefix": False})
missing = logs.exceptions.ResourceNotFoundException
now = int(time.time() * 1000)


def arn(group):
    return f"arn:aws:logs:{region}:{account}:log-group:{group}"


def pages(operation, key, size=1, **arguments):
    """All items of a list, taken few by few."""
    paginator = logs.get_paginator(operation)
    return [item for page in paginator.paginate(PaginationConfig={"PageSize": size}, **arguments) for item in page[key]]


def messages(answer):
    return [event["message"] for event in answer["events"]]


def groups():
    logs.create_log_group(logGroupName="/shop/web", tags={"team": "storefront"})
    logs.create_log_group(logGroupName="/shop/db")
    logs.create_log_group(logGroupName="other", logGroupClass="INFREQUENT_ACCESS")
    with refused(logs.exceptions.ResourceAlreadyExistsException, "The specified log group already exists"):
        logs.create_log_group(logGroupName="/shop/web")
    with refused(logs.exceptions.InvalidParameterException, "logGroupName"):
        logs.create_log_group(logGroupName="no blanks")
    found = pages("describe_log_groups", "logGroups", logGroupNamePrefix="/shop/")
    same([group["logGroupName"] for group in found], ["/shop/db", "/shop/web"])
    same((found[1]["arn"], found[1]["storedBytes"], found[1]["metricFilterCount"]), (arn("/shop/web") + ":*", 0, 0))
    same(found[1]["logGroupArn"], arn("/shop/web"))
    assert "retentionInDays" not in found[1], found
    assert abs(found[1]["creationTime"] - now) < 120_000, found
    same([group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePattern="hop/d")["logGroups"]], ["/shop/db"])
    listed = logs.list_log_groups(logGroupNamePattern="^/shop|other")["logGroups"]
    same([group["logGroupName"] for group in listed], ["/shop/db", "/shop/web", "other"])
    same(listed[2]["logGroupClass"], "INFREQUENT_ACCESS")

    logs.put_retention_policy(logGroupName="/shop/web", retentionInDays=7)
    same(logs.describe_log_groups(logGroupNamePrefix="/shop/web")["logGroups"][0]["retentionInDays"], 7)
    with refused(logs.exceptions.InvalidParameterException, "retentionInDays"):
        logs.put_retention_policy(logGroupName="/shop/web", retentionInDays=8)
    logs.delete_retention_policy(logGroupName="/shop/web")
    assert "retentionInDays" not in logs.describe_log_groups(logGroupNamePrefix="/shop/web")["logGroups"][0]
    with refused(missing, "The specified log group does not exist."):
        logs.put_retention_policy(logGroupName="nowhere", retentionInDays=7)

    logs.put_log_group_deletion_protection(logGroupIdentifier="/shop/db", deletionProtectionEnabled=True)
    with coded("ValidationException"):
        logs.delete_log_group(logGroupName="/shop/db")
    logs.put_log_group_deletion_protection(logGroupIdentifier="/shop/db", deletionProtectionEnabled=False)


def tags():
    logs.tag_resource(resourceArn=arn("/shop/web"), tags={"stage": "test"})
    same(logs.list_tags_for_resource(resourceArn=arn("/shop/web"))["tags"], {"team": "storefront", "stage": "test"})
    logs.untag_resource(resourceArn=arn("/shop/web"), tagKeys=["team"])
    logs.tag_log_group(logGroupName="/shop/web", tags={"cost": "low"})
    same(logs.list_tags_log_group(logGroupName="/shop/web")["tags"], {"stage": "test", "cost": "low"})
    logs.untag_log_group(logGroupName="/shop/web", tags=["cost"])
    same(logs.list_tags_log_group(logGroupName="/shop/web")["tags"], {"stage": "test"})
    with refused(missing):
        logs.list_tags_for_resource(resourceArn=arn("nowhere"))


def streams():
    for name in ["a/1", "a/2", "b"]:
        logs.create_log_stream(logGroupName="/shop/web", logStreamName=name)
    with refused(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName="/shop/web", logStreamName="b")
    with refused(missing):
        logs.create_log_stream(logGroupName="nowhere", logStreamName="b")
    found = pages("describe_log_streams", "logStreams", logGroupName="/shop/web", logStreamNamePrefix="a/")
    same([stream["logStreamName"] for stream in found], ["a/1", "a/2"])
    same(found[0]["arn"], arn("/shop/web") + ":log-stream:a/1")
    logs.delete_log_stream(logGroupName="/shop/web", logStreamName="a/2")
    with refused(missing, "The specified log stream does not exist."):
        logs.delete_log_stream(logGroupName="/shop/web", logStreamName="a/2")


def put(stream, *events):
    entries = [{"timestamp": at, "message": message} for at, message in events]
    return logs.put_log_events(logGroupName="/shop/web", logStreamName=stream, logEvents=entries)


def events():
    answer = put("a/1", *[(now - 9000 + number * 1000, f"GET /item/{number} 200") for number in range(9)])
    assert answer["nextSequenceToken"] and "rejectedLogEventsInfo" not in answer, answer
    put("b", (now - 8500, "ERROR cannot read: Å → 雲"), (now - 500, json.dumps({"level": "error", "ms": 70})))
    day = 24 * 3600 * 1000
    assert put("a/1", (now - 15 * day, "too old"))["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 1
    assert put("a/1", (now + 3 * 3600 * 1000, "too new"))["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] == 0
    with refused(logs.exceptions.InvalidParameterException, "chronological order"):
        put("a/1", (now, "second"), (now - 1, "first"))
    with refused(logs.exceptions.InvalidParameterException, "24 hours"):
        put("a/1", (now - 2 * day, "first"), (now, "second"))
    with refused(missing, "The specified log stream does not exist."):
        put("nowhere", (now, "lost"))

    of = {"logGroupName": "/shop/web", "logStreamName": "a/1"}
    first = logs.get_log_events(**of, limit=4, startFromHead=True)
    same(messages(first), [f"GET /item/{number} 200" for number in range(4)])
    assert first["nextForwardToken"].startswith("f/") and first["nextBackwardToken"].startswith("b/"), first
    second = logs.get_log_events(**of, limit=4, nextToken=first["nextForwardToken"])
    same(messages(second), [f"GET /item/{number} 200" for number in range(4, 8)])
    back = logs.get_log_events(**of, limit=4, nextToken=second["nextBackwardToken"])
    same(messages(back), messages(first))
    newest = logs.get_log_events(**of, limit=2)
    same(messages(newest), ["GET /item/7 200", "GET /item/8 200"])
    older = logs.get_log_events(**of, limit=2, nextToken=newest["nextBackwardToken"])
    same(messages(older), ["GET /item/5 200", "GET /item/6 200"])
    end = logs.get_log_events(**of, nextToken=newest["nextForwardToken"])
    same((messages(end), end["nextForwardToken"]), ([], newest["nextForwardToken"]))
    put("a/1", (now, "came later"))
    same(messages(logs.get_log_events(**of, nextToken=end["nextForwardToken"])), ["came later"])
    between = logs.get_log_events(**of, startTime=now - 8000, endTime=now - 6000, startFromHead=True)
    same(messages(between), ["GET /item/1 200", "GET /item/2 200"])
    by_arn = logs.get_log_events(logGroupIdentifier=arn("/shop/web"), logStreamName="b", startFromHead=True)
    same(messages(by_arn)[0], "ERROR cannot read: Å → 雲")
    with refused(logs.exceptions.InvalidParameterException):
        logs.get_log_events(**of, nextToken="f/made-up")

    found = pages("filter_log_events", "events", size=3, logGroupName="/shop/web")
    same(len(found), 12)
    same([event["timestamp"] for event in found], sorted(event["timestamp"] for event in found))
    same(len({event["eventId"] for event in found}), 12)
    of = {"logGroupName": "/shop/web"}
    same(messages(logs.filter_log_events(**of, filterPattern='"cannot read"')), ["ERROR cannot read: Å → 雲"])
    same(len(messages(logs.filter_log_events(**of, filterPattern="{ $.level = error && $.ms > 50 }"))), 1)
    columns = logs.filter_log_events(**of, filterPattern="[verb=GET, path=%/item/[12]%, status=200]")
    same(messages(columns), ["GET /item/1 200", "GET /item/2 200"])
    same(messages(logs.filter_log_events(**of, logStreamNames=["b"], endTime=now - 8000)), ["ERROR cannot read: Å → 雲"])
    same(len(messages(logs.filter_log_events(**of, logStreamNamePrefix="a/", filterPattern="-GET"))), 1)
    with refused(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(**of, filterPattern="{ $.level = ")

    sorted_by_time = logs.describe_log_streams(logGroupName="/shop/web", orderBy="LastEventTime", descending=True)
    names = [stream["logStreamName"] for stream in sorted_by_time["logStreams"]]
    same(names, ["a/1", "b"])
    first = sorted_by_time["logStreams"][0]
    same((first["firstEventTimestamp"], first["lastEventTimestamp"]), (now - 9000, now))
    assert first["lastIngestionTime"] >= now - 60_000 and first["uploadSequenceToken"], first


def live_tail():
    stream = logs.start_live_tail(logGroupIdentifiers=[arn("/shop/web")], logEventFilterPattern="wanted")
    told = iter(stream["responseStream"])
    start = next(told)["sessionStart"]
    same(start["logGroupIdentifiers"], [arn("/shop/web")])
    put("b", (now, "unwelcome guest"), (now, "a wanted guest"))
    results = []
    while not results:
        results = next(told)["sessionUpdate"]["sessionResults"]
    same([one["message"] for one in results], ["a wanted guest"])
    same((results[0]["logStreamName"], results[0]["timestamp"]), ("b", now))
    stream["responseStream"].close()


def metric_filters():
    of = {"logGroupName": "/shop/web", "filterName": "errors"}
    metric = {"metricName": "Errors", "metricNamespace": "Shop", "metricValue": "1", "defaultValue": 0, "unit": "Count"}
    logs.put_metric_filter(**of, filterPattern="ERROR", metricTransformations=[metric])
    (found,) = pages("describe_metric_filters", "metricFilters", logGroupName="/shop/web")
    same((found["filterName"], found["filterPattern"], found["metricTransformations"]), ("errors", "ERROR", [metric]))
    by_metric = logs.describe_metric_filters(metricName="Errors", metricNamespace="Shop")["metricFilters"]
    same([one["filterName"] for one in by_metric], ["errors"])
    same(logs.describe_log_groups(logGroupNamePrefix="/shop/web")["logGroups"][0]["metricFilterCount"], 1)
    tested = logs.test_metric_filter(filterPattern="[ip, size > 10]", logEventMessages=["a 5", "b 50"])["matches"]
    same([(one["eventNumber"], one["extractedValues"]) for one in tested], [(2, {"$ip": "b", "$size": "50"})])
    with refused(logs.exceptions.InvalidParameterException):
        logs.put_metric_filter(**of, filterPattern="{ broken", metricTransformations=[metric])
    logs.delete_metric_filter(**of)
    with refused(missing):
        logs.delete_metric_filter(**of)


def subscription_filters():
    of = {"logGroupName": "/shop/web", "filterName": "all"}
    function = f"arn:aws:lambda:{region}:{account}:function:f"
    with refused(logs.exceptions.InvalidParameterException, "Could not execute the lambda function"):
        logs.put_subscription_filter(**of, filterPattern="", destinationArn=function)
    same(logs.describe_subscription_filters(logGroupName="/shop/web")["subscriptionFilters"], [])
    with refused(missing):
        logs.delete_subscription_filter(**of)


def policies():
    statement = {
        "Effect": "Allow", "Principal": {"Service": "route53.amazonaws.com"},
        "Action": "logs:PutLogEvents", "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName="dns", policyDocument=document)
    (found,) = logs.describe_resource_policies()["resourcePolicies"]
    same((found["policyName"], json.loads(found["policyDocument"])), ("dns", json.loads(document)))
    with refused(logs.exceptions.InvalidParameterException):
        logs.put_resource_policy(policyName="dns", policyDocument="{")
    logs.delete_resource_policy(policyName="dns")
    same(logs.describe_resource_policies()["resourcePolicies"], [])


def endings():
    for name in ["/shop/web", "/shop/db", "other"]:
        logs.delete_log_group(logGroupName=name)
    with refused(missing, "The specified log group does not exist."):
        logs.delete_log_group(logGroupName="other")
    same(logs.describe_log_groups()["logGroups"], [])
    logs.create_log_group(logGroupName="/shop/web")
    same(messages(logs.filter_log_events(logGroupName="/shop/web")), [])


groups()
tags()
streams()
events()
live_tail()
metric_filters()
subscription_filters()
policies()
endings()
finish()
