"""Registers task definitions without end, and tells each one that was acknowledged: a line `FAMILY:REVISION`.

Errors of the connection and of a server that is just starting are passed over, as a client would that tries again.
It ends when the file that it is given exists.
"""

import os
import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

end, count = sys.argv[1], int(sys.argv[2])
lock = threading.Lock()


def write():
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=5)
    ecs = boto3.client("ecs", config=config)
    while not os.path.exists(end):
        try:
            made = ecs.register_task_definition(
                family="durable",
                containerDefinitions=[{"name": "app", "image": "busybox", "memory": 64}],
            )["taskDefinition"]
        except BotoCoreError:
            continue
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ServiceUnavailable", error
            continue
        with lock:
            print(f"{made['family']}:{made['revision']}", flush=True)


writers = [threading.Thread(target=write) for _ in range(count)]
for writer in writers:
    writer.start()
for writer in writers:
    writer.join()
