"""Functions that end badly: what their callers are told, what their logs say, and that the next call finds a whole one."""

import base64
import json
import re
import sys

from bootstrap import archive, code
from steps import client, finish, same

account = sys.argv[1]
functions = client("lambda")
iam = client("iam")

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]


def create(name, content=None, **settings):
    settings = {"Runtime": "provided.al2023", "Handler": "any", **settings}
    functions.create_function(FunctionName=name, Role=role, Code={"ZipFile": content or code()}, **settings)
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def call(event, name="faulty"):
    """What is answered, whether it is an error, and the end of the log."""
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event), LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    told = json.loads(answer["Payload"].read())
    return told, answer.get("FunctionError"), tail, answer["ResponseMetadata"]["RequestId"]


def fails(event, error_type, message, *lines, name="faulty"):
    told, error, tail, request = call(event, name)
    same((error, told["errorType"]), ("Unhandled", error_type))
    same(told["errorMessage"].replace(request, "ID"), message)
    for line in lines:
        assert re.search(line, tail.replace(request, "ID")), f"{line} is not in {tail}"


def kept():
    """How often the environment was asked, and how often its /tmp."""
    told, error, _, _ = call("keep")
    same(error, None)
    return told["kept"], told["count"]


create("faulty", Timeout=2, MemorySize=128)
same(kept(), (1, 1))
same(kept(), (2, 2))

fails("hang", "Sandbox.Timedout", "RequestId: ID Error: Task timed out after 2.00 seconds",
      r"ID Task timed out after 2\.00 seconds", r"REPORT RequestId: ID\tDuration: 2000\.00 ms\tBilled Duration: 2000 ms")
kept()
fails("exit", "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 7",
      r"got \"exit\"", r"REPORT RequestId: ID\t.*Status: error\tError Type: Runtime.ExitError")
kept()
create("hungry", Timeout=30, MemorySize=128)
fails("eat", "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: killed",
      r"Max Memory Used: 128 MB", r"Error Type: Runtime.OutOfMemory", name="hungry")

# Functions that never begin.
create("exits", archive({"bootstrap": (0o755, "#!/bin/sh\necho has no time\nexit 3\n")}))
told, error, tail, request = call({}, "exits")
same((error, told["errorType"]), ("Unhandled", "Runtime.ExitError"))
same(told["errorMessage"], f"RequestId: {request} Error: Runtime exited with error: exit status 3")
create("absent", archive({"other": (0o755, "#!/bin/sh\n")}))
told, error, tail, request = call({}, "absent")
same((error, told["errorType"]), ("Unhandled", "Runtime.InvalidEntrypoint"))
assert told["errorMessage"].startswith(f"RequestId: {request} Error: "), told
finish()
