"""Notifications: what may be configured, and events of all kinds; what was told is looked for by whoever runs this."""

from cases import anonymous, bucket, case, name, other, refused, run, s3, same, signed, status


def put(there, configuration, **more):
    return s3.put_bucket_notification_configuration(Bucket=there, NotificationConfiguration=configuration, **more)


def told(there):
    answer = s3.get_bucket_notification_configuration(Bucket=there)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


TOLD = {}
EVERYTHING = {"EventBridgeConfiguration": {}}


@case
def nothing_is_told_at_first():
    same(told(bucket()), {})


@case
def everything_may_be_told():
    there = bucket()
    same(status(put(there, EVERYTHING)), 200)
    same(told(there), EVERYTHING)
    put(there, {})
    same(told(there), {})


@case
def destinations_that_are_not_there_are_refused():
    there = bucket()
    for kind, arn_key, arn in (
        ("LambdaFunctionConfigurations", "LambdaFunctionArn", "arn:aws:lambda:us-east-1:123456789012:function:f"),
        ("QueueConfigurations", "QueueArn", "arn:aws:sqs:us-east-1:123456789012:q"),
        ("TopicConfigurations", "TopicArn", "arn:aws:sns:us-east-1:123456789012:t"),
    ):
        answer = refused("InvalidArgument", put, there, {kind: [{arn_key: arn, "Events": ["s3:ObjectCreated:*"]}]})
        same(answer["Error"]["Message"], "Unable to validate the following destination configurations")
    same(told(there), {})


@case
def events_that_there_are_not_are_refused():
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q"}
    for wrong in (["s3:ObjectCreated:Teleport"], ["ObjectCreated"], []):
        refused(("InvalidArgument", "MalformedXML"), put, bucket(), {"QueueConfigurations": [{**queue, "Events": wrong}]})


@case
def filters_that_cannot_be_are_refused():
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:ObjectCreated:*"]}

    def filtered(*rules):
        return {"QueueConfigurations": [{**queue, "Filter": {"Key": {"FilterRules": [
            {"Name": rule_name, "Value": value} for rule_name, value in rules]}}}]}

    for rules in (
        [("prefix", "a"), ("prefix", "b")], [("suffix", "a"), ("Suffix", "b")], [("middle", "a")], [("prefix", "x" * 1025)],
    ):
        refused(("InvalidArgument", "MalformedXML"), put, bucket(), filtered(*rules))


@case
def the_same_events_may_not_go_to_two():
    queue = {"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "Events": ["s3:ObjectCreated:Put"]}
    both = {"QueueConfigurations": [{**queue, "Id": "a"}, {**queue, "Id": "b", "Events": ["s3:ObjectCreated:*"]}]}
    answer = refused("InvalidArgument", put, bucket(), both)
    assert "overlap" in answer["Error"]["Message"], answer


@case
def strangers_configure_nothing():
    there = bucket()
    for by in (other, anonymous):
        refused("AccessDenied", by.get_bucket_notification_configuration, Bucket=there)
        refused("AccessDenied", by.put_bucket_notification_configuration, Bucket=there, NotificationConfiguration=EVERYTHING)
    refused("NoSuchBucket", told, name())


@case
def a_document_that_is_none_is_refused():
    signed("PUT", f"/{bucket()}?notification", b"<x>").expect(400, "MalformedXML")


@case
def every_kind_of_event_is_caused():
    there = bucket(versioning="Enabled")
    put(there, EVERYTHING)
    s3.put_object(Bucket=there, Key="told/put one", Body=b"x")
    s3.copy_object(Bucket=there, Key="told/copy", CopySource={"Bucket": there, "Key": "told/put one"})
    upload = s3.create_multipart_upload(Bucket=there, Key="told/parts")["UploadId"]
    etag = s3.upload_part(Bucket=there, Key="told/parts", UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(
        Bucket=there, Key="told/parts", UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}
    )
    s3.put_object_tagging(Bucket=there, Key="told/copy", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object_tagging(Bucket=there, Key="told/copy")
    s3.delete_object(Bucket=there, Key="told/put one")
    version = s3.head_object(Bucket=there, Key="told/parts")["VersionId"]
    s3.delete_object(Bucket=there, Key="told/parts", VersionId=version)
    s3.delete_objects(Bucket=there, Delete={"Objects": [{"Key": "told/copy"}]})
    TOLD["bucket"] = there


run(TOLD)
