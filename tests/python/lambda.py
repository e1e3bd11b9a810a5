"""Lambda: functions, versions, aliases, layers, who may call them and what else they have; and calls that really run."""

import base64
import json
import sys
import time

from bootstrap import archive, code
from steps import client, coded, finish, refused, same

account = sys.argv[1]
region = "us-east-1"
functions = client("lambda")
iam = client("iam")
logs = client("logs")
errors = functions.exceptions
missing = errors.ResourceNotFoundException
invalid = errors.InvalidParameterValueException

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]


def arn(name, qualifier=None):
    return f"arn:aws:lambda:{region}:{account}:function:{name}" + (f":{qualifier}" if qualifier else "")


def create(name, **settings):
    made = functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="provided.al2023",
        Handler="any",
        Code={"ZipFile": code()},
        **settings,
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    return made


def call(name, event, **settings):
    answer = functions.invoke(FunctionName=name, Payload=json.dumps(event), **settings)
    return answer, json.loads(answer["Payload"].read() or b"null")


def lifecycle():
    made = create("echo", MemorySize=256, Timeout=5, Environment={"Variables": {"GREETING": "hello"}}, Tags={"team": "a"})
    same((made["FunctionArn"], made["State"], made["Version"]), (arn("echo"), "Pending", "$LATEST"))
    with refused(errors.ResourceConflictException, "Function already exist: echo"):
        create("echo")
    found = functions.get_function(FunctionName="echo")
    same((found["Configuration"]["State"], found["Configuration"]["LastUpdateStatus"]), ("Active", "Successful"))
    same(found["Tags"], {"team": "a"})
    same(found["Code"]["RepositoryType"], "S3")
    same(functions.get_function_configuration(FunctionName=arn("echo"))["MemorySize"], 256)
    same([one["FunctionName"] for one in functions.list_functions()["Functions"]], ["echo"])
    with refused(missing, f"Function not found: {arn('none')}"):
        functions.get_function(FunctionName="none")
    limits = functions.get_account_settings()
    same((limits["AccountLimit"]["ConcurrentExecutions"], limits["AccountUsage"]["FunctionCount"]), (1000, 1))


def calls():
    answer, told = call("echo", {"a": [1, "å"]}, LogType="Tail")
    same((answer["StatusCode"], answer["ExecutedVersion"], told), (200, "$LATEST", {"a": [1, "å"]}))
    assert "FunctionError" not in answer, answer
    tail = base64.b64decode(answer["LogResult"]).decode()
    request = answer["ResponseMetadata"]["RequestId"]
    assert f"START RequestId: {request} Version: $LATEST\n" in tail, tail
    assert f"END RequestId: {request}\n" in tail and f"REPORT RequestId: {request}\tDuration: " in tail, tail
    assert "Memory Size: 256 MB\tMax Memory Used: " in tail and "\tInit Duration: " in tail, tail
    answer, told = call("echo", "variables", LogType="Tail")
    same(told, "hello echo $LATEST 256")
    assert "Init Duration" not in base64.b64decode(answer["LogResult"]).decode(), "the same environment is used again"
    answer, told = call("echo", "fail")
    same((answer["FunctionError"], told["errorType"]), ("Unhandled", "Test.Failed"))
    same(functions.invoke(FunctionName="echo", InvocationType="DryRun")["StatusCode"], 204)
    same(functions.invoke(FunctionName="echo", InvocationType="Event", Payload=b'"as an event"')["StatusCode"], 202)
    same(functions.invoke_async(FunctionName="echo", InvokeArgs=b'"in the old way"')["Status"], 202)
    with coded("InvalidRequestContentException", "Could not parse request body into json"):
        functions.invoke(FunctionName="echo", Payload=b"{")
    streamed = functions.invoke_with_response_stream(FunctionName="echo", Payload=b'"stream"')
    events = list(streamed["EventStream"])
    pieces = b"".join(event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event)
    same(pieces, b"one\ntwo\n")
    assert "InvokeComplete" in events[-1] and "ErrorCode" not in events[-1]["InvokeComplete"], events
    until("as an event", "in the old way")


def until(*texts):
    """Waits until the function's log has each of these."""
    end = time.monotonic() + 30
    while True:
        found = logs.filter_log_events(logGroupName="/aws/lambda/echo")["events"]
        lines = [event["message"] for event in found]
        if all(any(text in line for line in lines) for text in texts):
            return
        assert time.monotonic() < end, lines
        time.sleep(0.1)


def versions():
    first = functions.publish_version(FunctionName="echo", Description="the first")
    same((first["Version"], first["FunctionArn"]), ("1", arn("echo", "1")))
    functions.get_waiter("published_version_active").wait(FunctionName="echo", Qualifier="1")
    same(functions.publish_version(FunctionName="echo")["Version"], "1")
    changed = functions.update_function_configuration(FunctionName="echo", Environment={"Variables": {"GREETING": "good day"}})
    functions.get_waiter("function_updated_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
    with refused(errors.PreconditionFailedException):
        functions.update_function_code(FunctionName="echo", ZipFile=code("two"), RevisionId=changed["RevisionId"][::-1])
    functions.update_function_code(FunctionName="echo", ZipFile=code("two"))
    functions.get_waiter("function_updated_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
    same(functions.publish_version(FunctionName="echo")["Version"], "2")
    listed = functions.list_versions_by_function(FunctionName="echo")["Versions"]
    same([one["Version"] for one in listed], ["$LATEST", "1", "2"])
    made = functions.create_alias(FunctionName="echo", Name="live", FunctionVersion="1")
    same(made["AliasArn"], arn("echo", "live"))
    same(call("echo:live", "variables")[1], "hello echo 1 256")
    functions.update_alias(FunctionName="echo", Name="live", FunctionVersion="2")
    functions.get_waiter("published_version_active").wait(FunctionName="echo", Qualifier="2")
    answer, told = call("echo", "variables", Qualifier="live")
    same((answer["ExecutedVersion"], told), ("2", "good day echo 2 256"))
    same(functions.get_alias(FunctionName="echo", Name="live")["FunctionVersion"], "2")
    same([one["Name"] for one in functions.list_aliases(FunctionName="echo")["Aliases"]], ["live"])


def layers():
    note = archive({"note": (0o644, "from a layer")})
    made = functions.publish_layer_version(LayerName="notes", Content={"ZipFile": note}, CompatibleRuntimes=["provided.al2023"])
    same((made["Version"], made["LayerArn"]), (1, f"arn:aws:lambda:{region}:{account}:layer:notes"))
    functions.publish_layer_version(LayerName="notes", Content={"ZipFile": note})
    same([one["LayerName"] for one in functions.list_layers()["Layers"]], ["notes"])
    same([one["Version"] for one in functions.list_layer_versions(LayerName="notes")["LayerVersions"]], [2, 1])
    same(functions.get_layer_version(LayerName="notes", VersionNumber=1)["LayerVersionArn"], made["LayerVersionArn"])
    same(functions.get_layer_version_by_arn(Arn=made["LayerVersionArn"])["Version"], 1)
    permission = {"LayerName": "notes", "VersionNumber": 1, "StatementId": "all"}
    functions.add_layer_version_permission(**permission, Action="lambda:GetLayerVersion", Principal="*")
    assert '"Sid":"all"' in functions.get_layer_version_policy(LayerName="notes", VersionNumber=1)["Policy"].replace(" ", "")
    functions.remove_layer_version_permission(**permission)
    functions.update_function_configuration(FunctionName="echo", Layers=[made["LayerVersionArn"]])
    functions.get_waiter("function_updated_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1})
    same(call("echo", "layer")[1], "from a layer")
    functions.delete_layer_version(LayerName="notes", VersionNumber=2)
    same([one["Version"] for one in functions.list_layer_versions(LayerName="notes")["LayerVersions"]], [1])


def permissions():
    added = functions.add_permission(
        FunctionName="echo", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceAccount=account, SourceArn="arn:aws:s3:::photos",
    )
    same(json.loads(added["Statement"])["Principal"], {"Service": "s3.amazonaws.com"})
    with refused(errors.ResourceConflictException, "The statement id (s3) provided already exists."):
        functions.add_permission(FunctionName="echo", StatementId="s3", Action="lambda:*", Principal="s3.amazonaws.com")
    same(json.loads(functions.get_policy(FunctionName="echo")["Policy"])["Statement"][0]["Sid"], "s3")
    functions.remove_permission(FunctionName="echo", StatementId="s3")
    with refused(missing, "The resource you requested does not exist."):
        functions.get_policy(FunctionName="echo")


def settings():
    functions.tag_resource(Resource=arn("echo"), Tags={"stage": "test"})
    same(functions.list_tags(Resource=arn("echo"))["Tags"], {"team": "a", "stage": "test"})
    functions.untag_resource(Resource=arn("echo"), TagKeys=["team"])
    functions.put_function_concurrency(FunctionName="echo", ReservedConcurrentExecutions=0)
    same(functions.get_function_concurrency(FunctionName="echo")["ReservedConcurrentExecutions"], 0)
    with refused(errors.TooManyRequestsException, "Rate Exceeded."):
        call("echo", {})
    functions.delete_function_concurrency(FunctionName="echo")
    of = {"FunctionName": "echo", "Qualifier": "live"}
    functions.put_provisioned_concurrency_config(**of, ProvisionedConcurrentExecutions=1)
    same(functions.get_provisioned_concurrency_config(**of)["RequestedProvisionedConcurrentExecutions"], 1)
    same(len(functions.list_provisioned_concurrency_configs(FunctionName="echo")["ProvisionedConcurrencyConfigs"]), 1)
    functions.delete_provisioned_concurrency_config(**of)
    functions.put_function_event_invoke_config(FunctionName="echo", MaximumRetryAttempts=0)
    functions.update_function_event_invoke_config(FunctionName="echo", MaximumEventAgeInSeconds=60)
    config = functions.get_function_event_invoke_config(FunctionName="echo")
    same((config["MaximumRetryAttempts"], config["MaximumEventAgeInSeconds"]), (0, 60))
    same(len(functions.list_function_event_invoke_configs(FunctionName="echo")["FunctionEventInvokeConfigs"]), 1)
    functions.delete_function_event_invoke_config(FunctionName="echo")
    functions.put_function_recursion_config(FunctionName="echo", RecursiveLoop="Allow")
    same(functions.get_function_recursion_config(FunctionName="echo")["RecursiveLoop"], "Allow")
    functions.put_runtime_management_config(FunctionName="echo", UpdateRuntimeOn="FunctionUpdate")
    same(functions.get_runtime_management_config(FunctionName="echo")["UpdateRuntimeOn"], "FunctionUpdate")
    functions.delete_function_code_signing_config(FunctionName="echo")
    same(functions.get_function_code_signing_config(FunctionName="echo")["FunctionName"], "echo")
    signing = f"arn:aws:lambda:{region}:{account}:code-signing-config:csc-0123456789abcdef0"
    with coded("CodeSigningConfigNotFoundException"):
        functions.put_function_code_signing_config(FunctionName="echo", CodeSigningConfigArn=signing)


def urls():
    made = functions.create_function_url_config(FunctionName="echo", AuthType="AWS_IAM")
    same((made["FunctionArn"], made["AuthType"], made["InvokeMode"]), (arn("echo"), "AWS_IAM", "BUFFERED"))
    functions.update_function_url_config(FunctionName="echo", InvokeMode="RESPONSE_STREAM")
    same(functions.get_function_url_config(FunctionName="echo")["InvokeMode"], "RESPONSE_STREAM")
    same(len(functions.list_function_url_configs(FunctionName="echo")["FunctionUrlConfigs"]), 1)
    functions.delete_function_url_config(FunctionName="echo")
    with refused(missing):
        functions.get_function_url_config(FunctionName="echo")


def end():
    functions.delete_alias(FunctionName="echo", Name="live")
    functions.delete_function(FunctionName="echo", Qualifier="1")
    functions.delete_function(FunctionName="echo")
    with refused(missing):
        call("echo", {})
    same(functions.list_functions()["Functions"], [])


for step in (lifecycle, calls, versions, layers, permissions, settings, urls, end):
    step()
finish()
