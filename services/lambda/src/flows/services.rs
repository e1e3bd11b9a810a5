//! Services that call functions, and what is let in by a function's policy.

use super::*;
use crate::service_caller::{CannotCall, ServiceCaller};

const BUCKET: &str = "arn:aws:s3:::photos";

fn bucket_of(account: &str) -> ServiceCaller<'static> {
    ServiceCaller { principals: &["s3.amazonaws.com"], source_arn: BUCKET, source_account: account.parse().unwrap() }
}

async fn permit(house: &House, changes: Value) {
    let mut request = json!({
        "FunctionName": "thumbnails", "StatementId": "s3", "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
    });
    for (member, value) in changes.as_object().unwrap() {
        request[member] = value.clone();
    }
    house.ok("AddPermission", request).await;
}

async fn is_refused(house: &House, arn: &str, caller: ServiceCaller<'_>) -> bool {
    matches!(house.lambda.lets_in(arn, caller).await, Err(CannotCall::Refused(_)))
}

#[tokio::test]
async fn a_service_calls_only_where_the_policy_lets_it_in_for_the_resource() {
    let house = House::with_function().await;
    assert!(is_refused(&house, ARN, bucket_of(ACCOUNT)).await, "nobody is let in unless it is said");
    permit(&house, json!({ "SourceArn": BUCKET, "SourceAccount": ACCOUNT })).await;
    house.lambda.lets_in(ARN, bucket_of(ACCOUNT)).await.unwrap();
    assert!(is_refused(&house, ARN, bucket_of(OTHER)).await, "a bucket of that name in another account");
    let other = ServiceCaller { source_arn: "arn:aws:s3:::other", ..bucket_of(ACCOUNT) };
    assert!(is_refused(&house, ARN, other).await);
    let service = ServiceCaller { principals: &["logs.amazonaws.com"], ..bucket_of(ACCOUNT) };
    assert!(is_refused(&house, ARN, service).await);
    assert!(is_refused(&house, &format!("{ARN}-2"), bucket_of(ACCOUNT)).await);
    assert!(is_refused(&house, BUCKET, bucket_of(ACCOUNT)).await);
}

#[tokio::test]
async fn what_a_service_sends_is_delivered_as_an_event() {
    let house = House::with_function().await;
    permit(&house, json!({ "SourceArn": BUCKET })).await;
    house.lambda.send(ARN, bucket_of(ACCOUNT), Bytes::from_static(b"{\"Records\":[]}")).await.unwrap();
    assert!(house.invocations().is_empty());
    house.settle().await;
    assert_eq!(&house.invocations()[0].payload[..], b"{\"Records\":[]}");
    let large = Bytes::from(vec![b' '; crate::limits::EVENT_BYTES_MAX + 1]);
    let refused = house.lambda.send(ARN, bucket_of(ACCOUNT), large).await;
    assert!(matches!(refused, Err(CannotCall::Refused(_))));
    house.ok("RemovePermission", json!({ "FunctionName": "thumbnails", "StatementId": "s3" })).await;
    let refused = house.lambda.send(ARN, bucket_of(ACCOUNT), Bytes::from_static(b"{}")).await;
    assert!(matches!(refused, Err(CannotCall::Refused(_))), "also between configuration and event");
}

#[tokio::test]
async fn an_event_to_an_alias_goes_to_both_of_its_versions() {
    let house = House::with_function().await;
    house.ok("PublishVersion", json!({ "FunctionName": "thumbnails" })).await;
    let code = json!({ "FunctionName": "thumbnails", "ZipFile": zip64("two"), "Publish": true });
    house.settle().await;
    house.ok("UpdateFunctionCode", code).await;
    house.settle().await;
    let alias = json!({
        "FunctionName": "thumbnails", "Name": "live", "FunctionVersion": "1",
        "RoutingConfig": { "AdditionalVersionWeights": { "2": 0.5 } },
    });
    house.ok("CreateAlias", alias).await;
    permit(&house, json!({ "Qualifier": "live" })).await;
    for _ in 0..64 {
        house.lambda.send(&format!("{ARN}:live"), bucket_of(ACCOUNT), Bytes::from_static(b"{}")).await.unwrap();
    }
    house.settle().await;
    let versions: BTreeSet<String> = house.invocations().into_iter().map(|it| it.callee.version).collect();
    assert_eq!(versions.iter().map(String::as_str).collect::<Vec<_>>(), ["1", "2"]);
}
