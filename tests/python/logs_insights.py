"""CloudWatch Logs Insights: queries, their rows, the records behind them, and queries that are kept."""

import json
import sys
import time

from steps import client, finish, refused, same

account = sys.argv[1]
logs = client("logs")
now = int(time.time() * 1000)
second = now // 1000

logs.create_log_group(logGroupName="shop")
logs.create_log_stream(logGroupName="shop", logStreamName="web")
requests = [("GET", "/a", 10), ("GET", "/a", 30), ("PUT", "/b", 50), ("GET", "/c", 20), ("GET", "/c", 20)]
entries = [
    {"timestamp": now - 60_000 + number, "message": f"{verb} {path} took {ms} ms"}
    for number, (verb, path, ms) in enumerate(requests)
]
entries.append({"timestamp": now - 50_000, "message": json.dumps({"level": "warn", "user": {"name": "ann"}, "ms": 7})})
logs.put_log_events(logGroupName="shop", logStreamName="web", logEvents=entries)


def ask(text, **more):
    """The rows of a query that is complete, each as a mapping of its fields."""
    query = logs.start_query(logGroupName="shop", startTime=second - 3600, endTime=second + 60, queryString=text, **more)
    while True:
        answer = logs.get_query_results(queryId=query["queryId"])
        if answer["status"] not in ("Scheduled", "Running"):
            break
        time.sleep(0.02)
    same(answer["status"], "Complete")
    return [{field["field"]: field["value"] for field in row} for row in answer["results"]], answer


def without_pointers(rows):
    return [{name: value for name, value in row.items() if name != "@ptr"} for row in rows]


rows, answer = ask('parse @message "* * took * ms" as verb, path, ms | filter ispresent(ms) '
                   "| stats count(*) as n, avg(ms) as mean, max(ms) as most by path | sort path asc")
same(rows, [
    {"path": "/a", "n": "2", "mean": "20", "most": "30"},
    {"path": "/b", "n": "1", "mean": "50", "most": "50"},
    {"path": "/c", "n": "2", "mean": "20", "most": "20"},
])
same((answer["statistics"]["recordsScanned"], answer["statistics"]["recordsMatched"]), (6.0, 5.0))
rows, _ = ask("filter @message like /took/ | parse @message /(?<verb>[A-Z]+) (?<path>\\S+)/ "
              "| fields path | sort @timestamp asc | dedup path")
same(without_pointers(rows), [{"path": path} for path in ["/a", "/b", "/c"]])
rows, _ = ask('fields @timestamp, @message, user.name | filter level = "warn" and ms < 10', limit=1)
same(rows[0]["user.name"], "ann")
record = logs.get_log_record(logRecordPointer=rows[0]["@ptr"])["logRecord"]
same((record["@message"], record["@logStream"]), (entries[-1]["message"], "web"))
fields = {one["name"]: one["percent"] for one in logs.get_log_group_fields(logGroupName="shop")["logGroupFields"]}
same((fields["@message"], fields["user.name"]), (100, 16))

with refused(logs.exceptions.MalformedQueryException):
    ask("stats nonsense(")
with refused(logs.exceptions.ResourceNotFoundException):
    logs.start_query(logGroupName="nowhere", startTime=0, endTime=second, queryString="fields @message")
with refused(logs.exceptions.ResourceNotFoundException):
    logs.get_query_results(queryId="00000000-0000-4000-8000-000000000000")
listed = logs.describe_queries(logGroupName="shop", status="Complete")["queries"]
same(len(listed), 3)
ended = listed[0]["queryId"]
with refused(logs.exceptions.InvalidParameterException):
    logs.stop_query(queryId=ended)

kept = logs.put_query_definition(name="slow", queryString="filter ms > 10", logGroupNames=["shop"])["queryDefinitionId"]
(found,) = logs.describe_query_definitions(queryDefinitionNamePrefix="sl")["queryDefinitions"]
same((found["queryDefinitionId"], found["queryString"], found["logGroupNames"]), (kept, "filter ms > 10", ["shop"]))
same(logs.delete_query_definition(queryDefinitionId=kept)["success"], True)
same(logs.describe_query_definitions()["queryDefinitions"], [])

# Whether a query can still be stopped is a race, which a long one loses.
logs.create_log_group(logGroupName="long")
logs.create_log_stream(logGroupName="long", logStreamName="one")
for _ in range(2):
    many = [{"timestamp": now, "message": f"number {number}"} for number in range(4000)]
    logs.put_log_events(logGroupName="long", logStreamName="one", logEvents=many[:2000])
    logs.put_log_events(logGroupName="long", logStreamName="one", logEvents=many[2000:])
for _ in range(20):
    text = "parse @message /(?<n>[0-9]+)/ | stats count(*) by n, @message"
    query = logs.start_query(logGroupName="long", startTime=0, endTime=second + 60, queryString=text)["queryId"]
    try:
        same(logs.stop_query(queryId=query)["success"], True)
    except logs.exceptions.InvalidParameterException:
        continue
    same(logs.get_query_results(queryId=query)["status"], "Cancelled")
    break
finish()
