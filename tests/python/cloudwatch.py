"""CloudWatch over one of the protocols that its clients speak: metrics, what is computed of them, and alarms."""

import json
import sys
from datetime import datetime, timedelta, timezone

import botocore.model
from steps import client, coded, finish, refused, same

account, protocol = sys.argv[1:3]
# A client speaks the first protocol of its own list that the service has: this one shall be the only one.
botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS = (protocol,)
cloudwatch = client("cloudwatch")
same(cloudwatch.meta.service_model.resolved_protocol, protocol)
CONTENT_TYPES = {
    "json": "application/x-amz-json-1.0",
    "query": "application/x-www-form-urlencoded; charset=utf-8",
    "smithy-rpc-v2-cbor": "application/cbor",
}
content_types = set()


def note(request, **_):
    told = request.headers["content-type"]
    content_types.add(told if isinstance(told, str) else told.decode())


cloudwatch.meta.events.register("before-send", note)
minute = timedelta(minutes=1)
now = datetime.now(timezone.utc).replace(microsecond=0)
start = now.replace(second=0) - 10 * minute
web = [{"Name": "Host", "Value": "web"}]
missing = cloudwatch.exceptions.ResourceNotFound
arn = f"arn:aws:cloudwatch:us-east-1:{account}:alarm"


def pages(operation, key, **arguments):
    """All items of a list."""
    paginator = cloudwatch.get_paginator(operation)
    return [item for page in paginator.paginate(**arguments) for item in page[key]]


def query(identity, metric="Latency", stat="Average", period=60, **more):
    of = {"Namespace": "Shop", "MetricName": metric, "Dimensions": web}
    return {"Id": identity, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}, **more}


def data(*queries, **more):
    answer = cloudwatch.get_metric_data(MetricDataQueries=queries, StartTime=start, EndTime=now + minute, **more)
    return {result["Id"]: result for result in answer["MetricDataResults"]}


def metrics():
    latency = [
        {"MetricName": "Latency", "Dimensions": web, "Timestamp": start + number * minute, "Value": number * 10.5,
         "Unit": "Milliseconds"}
        for number in range(5)
    ]
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=latency)
    total = {"SampleCount": 4, "Sum": 20, "Minimum": 1, "Maximum": 9}
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[
        {"MetricName": "Orders", "Dimensions": web, "Timestamp": start, "StatisticValues": total, "Unit": "Count"},
        {"MetricName": "Orders", "Dimensions": web, "Timestamp": start, "Values": [2, 10], "Counts": [3, 1], "Unit": "Count"},
        {"MetricName": "Ticks", "Value": 1.5, "StorageResolution": 1},
    ])
    listed = pages("list_metrics", "Metrics", Namespace="Shop")
    same({metric["MetricName"] for metric in listed}, {"Latency", "Orders", "Ticks"})
    found = cloudwatch.list_metrics(Namespace="Shop", Dimensions=[{"Name": "Host"}], MetricName="Latency")["Metrics"]
    same(found, [{"Namespace": "Shop", "MetricName": "Latency", "Dimensions": web}])
    same(cloudwatch.list_metrics(Namespace="Nothing")["Metrics"], [])

    points = cloudwatch.get_metric_statistics(
        Namespace="Shop", MetricName="Orders", Dimensions=web, StartTime=start, EndTime=start + minute, Period=60,
        Statistics=["Sum", "SampleCount", "Minimum", "Maximum", "Average"],
    )["Datapoints"]
    same(points, [{"Timestamp": start, "Sum": 36.0, "SampleCount": 8.0, "Minimum": 1.0, "Maximum": 10.0,
                   "Average": 4.5, "Unit": "Count"}])

    found = data(
        query("latency", ReturnData=False), query("top", stat="Maximum", period=300, Label="top"),
        {"Id": "seconds", "Expression": "latency / 1000"}, {"Id": "filled", "Expression": "FILL(latency, 0) * 2 - 1"},
        ScanBy="TimestampAscending",
    )
    same(found["seconds"]["Values"], [0.0, 0.0105, 0.021, 0.0315, 0.042])
    same(found["seconds"]["Timestamps"], [start + number * minute for number in range(5)])
    same(found["seconds"]["StatusCode"], "Complete")
    assert found["filled"]["Values"][:3] == [-1.0, 20.0, 41.0] and -1.0 in found["filled"]["Values"][5:], found["filled"]
    same((found["top"]["Label"], max(found["top"]["Values"])), ("top", 42.0))
    same(data(query("latency"))["latency"]["Values"], [42.0, 31.5, 21.0, 10.5, 0.0])
    few = pages("get_metric_data", "MetricDataResults", MetricDataQueries=[query("latency")], StartTime=start,
                EndTime=now, PaginationConfig={"PageSize": 2})
    same([value for result in few for value in result["Values"]], [42.0, 31.5, 21.0, 10.5, 0.0])


def refusals():
    with coded("ValidationError"):
        data({"Id": "wrong", "Expression": "nothing +"})
    with coded("InvalidParameterValue"):
        cloudwatch.put_metric_data(Namespace="AWS/Mine", MetricData=[{"MetricName": "a", "Value": 1}])
    with refused(cloudwatch.exceptions.InvalidParameterCombinationException):
        both = {"MetricName": "a", "Value": 1, "StatisticValues": {"SampleCount": 1, "Sum": 1, "Minimum": 1, "Maximum": 1}}
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[both])
    with refused(missing):
        cloudwatch.set_alarm_state(AlarmName="nowhere", StateValue="OK", StateReason="none")
    with coded("ValidationError"):
        cloudwatch.put_metric_alarm(AlarmName="slow")


def alarms():
    rule = {
        "AlarmName": "slow", "Namespace": "Shop", "MetricName": "Latency", "Dimensions": web, "Statistic": "Average",
        "Period": 60, "EvaluationPeriods": 3, "DatapointsToAlarm": 2, "Threshold": 99.5,
        "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching",
    }
    cloudwatch.put_metric_alarm(**rule, AlarmDescription="slow pages: 雲", Tags=[{"Key": "team", "Value": "storefront"}])
    expression = {"Id": "e", "Expression": "l * 2", "Label": "twice", "ReturnData": True}
    cloudwatch.put_metric_alarm(
        AlarmName="twice", Metrics=[query("l", ReturnData=False), expression], EvaluationPeriods=1, Threshold=1e9,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    cloudwatch.put_composite_alarm(AlarmName="any", AlarmRule='ALARM("slow") OR ALARM(twice)', ActionsEnabled=False)
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=["slow"])
    (slow,) = cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"]
    same({name: slow[name] for name in rule}, rule)
    same((slow["AlarmArn"], slow["AlarmDescription"], slow["ActionsEnabled"]), (f"{arn}:slow", "slow pages: 雲", True))
    paginator = cloudwatch.get_paginator("describe_alarms")
    found = list(paginator.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"], PaginationConfig={"PageSize": 1}))
    names = [alarm["AlarmName"] for page in found for kind in ("MetricAlarms", "CompositeAlarms") for alarm in page.get(kind, [])]
    same(sorted(names), ["any", "slow", "twice"])
    of = cloudwatch.describe_alarms_for_metric(Namespace="Shop", MetricName="Latency", Dimensions=web)["MetricAlarms"]
    assert "slow" in [alarm["AlarmName"] for alarm in of], of

    cloudwatch.set_alarm_state(
        AlarmName="twice", StateValue="ALARM", StateReason="a test", StateReasonData=json.dumps({"by": "hand"}))
    changes = pages("describe_alarm_history", "AlarmHistoryItems", AlarmName="twice", HistoryItemType="StateUpdate")
    assert any("to ALARM" in item["HistorySummary"] for item in changes), changes
    updates = pages("describe_alarm_history", "AlarmHistoryItems", AlarmName="twice",
                    HistoryItemType="ConfigurationUpdate", PaginationConfig={"PageSize": 1})
    same([item["HistorySummary"] for item in updates], ['Alarm "twice" created'])

    cloudwatch.disable_alarm_actions(AlarmNames=["slow"])
    same(cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"][0]["ActionsEnabled"], False)
    cloudwatch.enable_alarm_actions(AlarmNames=["slow"])
    same(cloudwatch.describe_alarms(AlarmNames=["slow"])["MetricAlarms"][0]["ActionsEnabled"], True)

    cloudwatch.tag_resource(ResourceARN=f"{arn}:slow", Tags=[{"Key": "stage", "Value": "test"}])
    cloudwatch.untag_resource(ResourceARN=f"{arn}:slow", TagKeys=["team"])
    same(cloudwatch.list_tags_for_resource(ResourceARN=f"{arn}:slow")["Tags"], [{"Key": "stage", "Value": "test"}])

    cloudwatch.delete_alarms(AlarmNames=["any"])
    cloudwatch.delete_alarms(AlarmNames=["slow", "twice"])
    same(cloudwatch.describe_alarms()["MetricAlarms"], [])


metrics()
refusals()
alarms()
same(content_types, {CONTENT_TYPES[protocol]})
finish()
