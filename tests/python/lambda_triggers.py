"""What calls functions beside their owner: buckets, log groups, and anybody at an address of theirs; and code out of buckets."""

import base64
import gzip
import hashlib
import http.client
import json
import os
import sys
import time
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError

from bootstrap import code
from steps import client, coded, finish, refused, same

account = sys.argv[1]
region = "us-east-1"
functions, iam, logs, s3 = client("lambda"), client("iam"), client("logs"), client("s3")
invalid = functions.exceptions.InvalidParameterValueException
server = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc
bucket = f"photos-{account}"

trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
role = iam.create_role(RoleName="functions", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
arn = f"arn:aws:lambda:{region}:{account}:function:echo"


def told(text):
    """The first event that the function has printed with this in it."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            found = logs.filter_log_events(logGroupName="/aws/lambda/echo", filterPattern=f'"{text}"')["events"]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        for event in found:
            if event["message"].startswith("got "):
                return json.loads(event["message"].removeprefix("got "))
        time.sleep(0.2)
    raise AssertionError(f"the function was not told of {text}")


def code_in_a_bucket():
    s3.create_bucket(Bucket=bucket)
    archive = code()
    s3.put_object(Bucket=bucket, Key="code/echo.zip", Body=archive)
    settings = {"FunctionName": "echo", "Role": role, "Runtime": "provided.al2023", "Handler": "any", "Timeout": 30}
    with refused(invalid, "Error occurred while GetObject. S3 Error Code: NoSuchKey."):
        functions.create_function(Code={"S3Bucket": bucket, "S3Key": "none"}, **settings)
    functions.create_function(Code={"S3Bucket": bucket, "S3Key": "code/echo.zip"}, **settings)
    functions.get_waiter("function_active_v2").wait(FunctionName="echo", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    found = functions.get_function(FunctionName="echo")
    same(found["Configuration"]["CodeSha256"], base64.b64encode(hashlib.sha256(archive).digest()).decode())
    location = urlsplit(found["Code"]["Location"])
    same(ask("GET", location.path)[::2], (200, archive))
    same(ask("GET", location.path + "x")[0], 403)


def events_of_a_bucket():
    def configure(function):
        rule = {
            "LambdaFunctionArn": function,
            "Events": ["s3:ObjectCreated:*"],
            "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}},
        }
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
        )

    with coded("InvalidArgument", "Unable to validate the following destination configurations"):
        configure(arn)
    with coded("InvalidArgument", "The notification destination service region is not valid"):
        configure(arn.replace(region, "eu-west-1"))
    functions.add_permission(
        FunctionName="echo", StatementId="bucket", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}", SourceAccount=account,
    )
    configure(arn)
    s3.put_object(Bucket=bucket, Key="out/no.jpg", Body=b"x")
    s3.put_object(Bucket=bucket, Key="in/a photo.jpg", Body=b"12345")
    (record,) = told("in/a+photo.jpg")["Records"]
    same((record["eventSource"], record["eventName"]), ("aws:s3", "ObjectCreated:Put"))
    same((record["s3"]["bucket"]["name"], record["s3"]["object"]["size"]), (bucket, 5))


def events_of_a_log_group():
    logs.create_log_group(logGroupName="/app")
    logs.create_log_stream(logGroupName="/app", logStreamName="one")
    of = {"logGroupName": "/app", "filterName": "errors", "filterPattern": "ERROR", "destinationArn": arn}
    with refused(logs.exceptions.InvalidParameterException, "Could not execute the lambda function."):
        logs.put_subscription_filter(**of)
    functions.add_permission(
        FunctionName="echo", StatementId="logs", Action="lambda:InvokeFunction",
        Principal=f"logs.{region}.amazonaws.com", SourceArn=f"arn:aws:logs:{region}:{account}:log-group:/app:*",
    )
    logs.put_subscription_filter(**of)
    (filter,) = logs.describe_subscription_filters(logGroupName="/app")["subscriptionFilters"]
    same((filter["filterName"], filter["destinationArn"]), ("errors", arn))
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": "fine"}, {"timestamp": now, "message": "an ERROR"}]
    logs.put_log_events(logGroupName="/app", logStreamName="one", logEvents=events)
    data = json.loads(gzip.decompress(base64.b64decode(told("awslogs")["awslogs"]["data"])))
    same((data["messageType"], data["owner"], data["logGroup"]), ("DATA_MESSAGE", account, "/app"))
    same(data["subscriptionFilters"], ["errors"])
    (stored,) = logs.filter_log_events(logGroupName="/app", filterPattern="ERROR")["events"]
    same(data["logEvents"], [{"id": stored["eventId"], "timestamp": now, "message": "an ERROR"}])
    logs.delete_subscription_filter(logGroupName="/app", filterName="errors")


def ask(method, path, body=None, **headers):
    """What is answered: status, headers and body."""
    connection = http.client.HTTPConnection(server, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.headers, answer.read()


def address_for_all():
    cors = {"AllowOrigins": ["https://app.example"], "AllowMethods": ["POST"]}
    made = functions.create_function_url_config(FunctionName="echo", AuthType="NONE", Cors=cors)
    host = urlsplit(made["FunctionUrl"]).netloc
    same(ask("GET", "/", Host=host)[0], 403)
    functions.add_permission(
        FunctionName="echo", StatementId="url", Action="lambda:InvokeFunctionUrl", Principal="*",
        FunctionUrlAuthType="NONE",
    )
    functions.add_permission(
        FunctionName="echo", StatementId="by-url", Action="lambda:InvokeFunction", Principal="*",
        InvokedViaFunctionUrl=True,
    )
    text = {"Content_Type": "text/plain", "Cookie": "a=1; b=2"}
    status, headers, body = ask("POST", "/one/two?x=1&x=2", b"hello", Host=host, **text)
    event = json.loads(body)
    same((status, headers["Content-Type"], event["rawPath"], event["body"]), (200, "application/json", "/one/two", "hello"))
    same((event["cookies"], event["queryStringParameters"]), (["a=1", "b=2"], {"x": "1,2"}))
    same(event["requestContext"]["http"]["method"], "POST")
    label = host.split(".")[0]
    same(json.loads(ask("GET", f"/_lambda/url/{label}/three")[2])["rawPath"], "/three")
    page = {"Origin": "https://app.example", "Access_Control_Request_Method": "POST"}
    status, headers, _ = ask("OPTIONS", "/", Host=host, **page)
    same((status, headers["Access-Control-Allow-Origin"]), (200, "https://app.example"))
    same(ask("GET", "/", Host=host, X_Do="fail")[::2], (502, b"Internal Server Error"))
    functions.update_function_url_config(FunctionName="echo", InvokeMode="RESPONSE_STREAM")
    status, headers, body = ask("GET", "/", Host=host, X_Do="stream")
    same((status, headers["Transfer-Encoding"], body), (200, "chunked", b"one\ntwo\n"))
    same(json.loads(ask("GET", "/whole", Host=host)[2])["rawPath"], "/whole")
    functions.delete_function_url_config(FunctionName="echo")
    same(ask("GET", "/", Host=host)[::2], (403, b'{"Message":null}'))


def address_for_those_who_sign():
    version = functions.publish_version(FunctionName="echo")["Version"]
    functions.get_waiter("function_active_v2").wait(
        FunctionName="echo", Qualifier=version, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    functions.create_alias(FunctionName="echo", Name="live", FunctionVersion=version)
    made = functions.create_function_url_config(FunctionName="echo", Qualifier="live", AuthType="AWS_IAM")
    host = urlsplit(made["FunctionUrl"]).netloc

    def signed(body, sent=None):
        request = AWSRequest("POST", f"http://{host}/signed", data=body, headers={"Content-Type": "text/plain"})
        SigV4Auth(boto3.Session().get_credentials(), "lambda", region).add_auth(request)
        headers = {name.replace("-", "_"): value for name, value in request.headers.items()}
        return ask("POST", "/signed", sent or body, **{"Host": host, **headers})

    same(ask("POST", "/signed", b"hi", Host=host)[0], 403)
    same(signed(b"hi", sent=b"no")[0], 403)
    status, _, body = signed(b"hi")
    event = json.loads(body)
    same((status, event["body"], "authorization" in event["headers"]), (200, "hi", False))
    caller = event["requestContext"]["authorizer"]["iam"]
    same((caller["accountId"], caller["userArn"]), (account, f"arn:aws:iam::{account}:root"))


def a_bucket_that_is_not_let_in_any_more():
    functions.remove_permission(FunctionName="echo", StatementId="bucket")
    s3.put_object(Bucket=bucket, Key="in/late.jpg", Body=b"x")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    functions.delete_function(FunctionName="echo")
    try:
        functions.get_function(FunctionName="echo")
        raise AssertionError("the function is there still")
    except ClientError as error:
        same(error.response["Error"]["Code"], "ResourceNotFoundException")


code_in_a_bucket()
events_of_a_bucket()
events_of_a_log_group()
address_for_all()
address_for_those_who_sign()
a_bucket_that_is_not_let_in_any_more()
finish()
