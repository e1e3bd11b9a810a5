"""Puts log events and data points without end, and tells what was acknowledged and what it never heard of.

A line for each call: `yes STREAM FIRST COUNT` or `unknown STREAM FIRST COUNT`, where each event's message begins with its
number in the stream and goes on with noise; for data points `data yes` or `data unknown`. A call without an answer is not made again: its events may be
there or not. It ends when the file that it is given exists.
"""

import base64
import os
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

end, count = sys.argv[1], int(sys.argv[2])
lock = threading.Lock()
# What makes the server's files so large that it seals some meanwhile.
NOISE_BYTES = 3000
CONFIG = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)


def tell(*words):
    with lock:
        print(*words, flush=True)


def is_answered(call, **arguments):
    try:
        call(**arguments)
        return "yes"
    except BotoCoreError:
        return "unknown"
    except ClientError as error:
        # Said by a server that is ending or starting, before it does anything.
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error
        return "unknown"


def put_events(number):
    logs = boto3.client("logs", config=CONFIG)
    stream, first, at = f"writer-{number}", 0, 0
    while not os.path.exists(end):
        at = max(at, int(time.time() * 1000))
        size = 1 + (first * 7 + number) % 40
        noise = [base64.b64encode(os.urandom(NOISE_BYTES)).decode() for _ in range(size)]
        events = [{"timestamp": at, "message": f"{first + after} {text}"} for after, text in enumerate(noise)]
        answer = is_answered(logs.put_log_events, logGroupName="load", logStreamName=stream, logEvents=events)
        tell(answer, stream, first, size)
        first += size


def put_data():
    cloudwatch = boto3.client("cloudwatch", config=CONFIG)
    while not os.path.exists(end):
        data = [{"MetricName": "Calls", "Value": 1}]
        tell("data", is_answered(cloudwatch.put_metric_data, Namespace="Load", MetricData=data))


writers = [threading.Thread(target=put_events, args=[number]) for number in range(count)]
writers.append(threading.Thread(target=put_data))
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
