//! Subscription filters, and what their destinations get.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use logs::subscription::{CannotDeliver, Destinations, Source};

use super::*;

const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:f";

/// A function that lets one group in, and what it got.
#[derive(Debug, Default)]
struct Function {
    got: Mutex<Vec<Value>>,
    is_gone: Mutex<bool>,
    is_failing: Mutex<bool>,
}

impl Destinations for Function {
    fn validate<'a>(&'a self, source: Source<'a>, function_arn: &'a str) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        let is_there = function_arn == FUNCTION && source.arn == arn("log-group:g:*") && !*self.is_gone.lock().unwrap();
        let outcome = match (is_there, *self.is_failing.lock().unwrap()) {
            (_, true) => Err(CannotDeliver::Failed("no disk".to_owned())),
            (true, false) => Ok(()),
            (false, false) => Err(CannotDeliver::Refused("not you".to_owned())),
        };
        Box::pin(async move { outcome })
    }

    fn deliver<'a>(
        &'a self,
        source: Source<'a>,
        function_arn: &'a str,
        event: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        Box::pin(async move {
            self.validate(source, function_arn).await?;
            let event: Value = serde_json::from_slice(&event).unwrap();
            let packed = BASE64.decode(event["awslogs"]["data"].as_str().unwrap()).unwrap();
            let mut text = String::new();
            flate2::read::GzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
            self.got.lock().unwrap().push(serde_json::from_str(&text).unwrap());
            Ok(())
        })
    }
}

fn house() -> (Caller, Arc<Function>) {
    let (caller, function) = (Caller::new(), Arc::new(Function::default()));
    let logs = caller.logs.clone().with_destinations(function.clone());
    (Caller { logs, ..caller }, function)
}

fn put(group: &str, filter: &str, pattern: &str) -> Value {
    json!({"logGroupName": group, "filterName": filter, "filterPattern": pattern, "destinationArn": FUNCTION})
}

async fn write(caller: &Caller, messages: &[&str]) -> Result<Value, wire::Error> {
    let event = |message: &&str| json!({"timestamp": caller.now(), "message": message});
    let events: Vec<Value> = messages.iter().map(event).collect();
    caller.call("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events})).await
}

#[tokio::test]
async fn a_function_gets_events_from_now_on_by_the_ids_that_they_are_found_by() {
    let (caller, function) = house();
    caller.stream("g", "s").await;
    write(&caller, &["an ERROR before"]).await.unwrap();
    caller.ok("PutSubscriptionFilter", put("g", "errors", "ERROR")).await;
    write(&caller, &["fine", "an ERROR", "ERROR again"]).await.unwrap();
    write(&caller, &["fine"]).await.unwrap();
    let found = caller.ok("FilterLogEvents", json!({"logGroupName": "g", "filterPattern": "ERROR"})).await;
    let expected: Vec<Value> = found["events"].as_array().unwrap()[1..]
        .iter()
        .map(|event| json!({"id": event["eventId"], "timestamp": event["timestamp"], "message": event["message"]}))
        .collect();
    let got = std::mem::take(&mut *function.got.lock().unwrap());
    assert_eq!(
        got,
        [json!({
            "messageType": "DATA_MESSAGE", "owner": ACCOUNT, "logGroup": "g", "logStream": "s",
            "subscriptionFilters": ["errors"], "logEvents": expected,
        })]
    );
    caller.ok("DeleteSubscriptionFilter", json!({"logGroupName": "g", "filterName": "errors"})).await;
    write(&caller, &["an ERROR"]).await.unwrap();
    assert!(function.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_group_has_two_filters_at_most_and_tells_of_them() {
    let (caller, _) = house();
    caller.group("g").await;
    caller.ok("PutSubscriptionFilter", put("g", "b", "one")).await;
    caller.advance(Duration::from_secs(1));
    caller.ok("PutSubscriptionFilter", put("g", "a", "")).await;
    caller.ok("PutSubscriptionFilter", put("g", "b", "two")).await;
    assert_eq!(caller.refused("PutSubscriptionFilter", put("g", "c", "")).await.0, "LimitExceededException");
    let told = caller.ok("DescribeSubscriptionFilters", json!({"logGroupName": "g"})).await;
    let filter = |name: &str, pattern: &str, created: i64| {
        json!({
            "filterName": name, "filterPattern": pattern, "logGroupName": "g", "destinationArn": FUNCTION,
            "distribution": "ByLogStream", "creationTime": created,
        })
    };
    assert_eq!(told["subscriptionFilters"], json!([filter("a", "", START + 1000), filter("b", "two", START)]));
    let page = caller.ok("DescribeSubscriptionFilters", json!({"logGroupName": "g", "limit": 1})).await;
    assert_eq!(column(&page["subscriptionFilters"], "filterName"), ["a"]);
    let next = json!({"logGroupName": "g", "limit": 1, "nextToken": page["nextToken"]});
    let page = caller.ok("DescribeSubscriptionFilters", next).await;
    assert_eq!((column(&page["subscriptionFilters"], "filterName"), page.get("nextToken")), (vec!["b".into()], None));
    let prefixed = json!({"logGroupName": "g", "filterNamePrefix": "b"});
    let told = caller.ok("DescribeSubscriptionFilters", prefixed).await;
    assert_eq!(column(&told["subscriptionFilters"], "filterName"), ["b"]);
}

#[tokio::test]
async fn a_function_that_is_not_there_or_lets_nobody_in_is_refused_and_later_skipped() {
    let (caller, function) = house();
    caller.stream("g", "s").await;
    caller.group("other").await;
    let (code, message) = caller.refused("PutSubscriptionFilter", put("other", "all", "")).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(message.starts_with("Could not execute the lambda function. Make sure you have given"), "{message}");
    caller.ok("PutSubscriptionFilter", put("g", "all", "")).await;
    *function.is_gone.lock().unwrap() = true;
    write(&caller, &["lost on it, not to the group"]).await.unwrap();
    *function.is_gone.lock().unwrap() = false;
    write(&caller, &["got"]).await.unwrap();
    assert_eq!(function.got.lock().unwrap().len(), 1);
    *function.is_failing.lock().unwrap() = true;
    let error = write(&caller, &["to be sent again"]).await.unwrap_err();
    assert!(error.status >= 500, "{error}");
}

#[tokio::test]
async fn a_group_that_is_made_again_has_no_filters() {
    let (caller, function) = house();
    caller.stream("g", "s").await;
    caller.ok("PutSubscriptionFilter", put("g", "all", "")).await;
    caller.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    caller.stream("g", "s").await;
    write(&caller, &["x"]).await.unwrap();
    assert!(function.got.lock().unwrap().is_empty());
    let store = &caller.logs.platform.store;
    let filters = || store.list_everywhere::<logs::subscription::SubscriptionFilter>(None, 10);
    assert_eq!(filters().await.unwrap().items.len(), 1);
    caller.reconcile(logs::reconcile::deletion::reconciler(&caller.logs)).await;
    assert!(filters().await.unwrap().items.is_empty());
}
