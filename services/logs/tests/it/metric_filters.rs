use super::*;

fn filter(name: &str, pattern: &str, value: &str) -> Value {
    json!({"logGroupName": "g", "filterName": name, "filterPattern": pattern, "metricTransformations": [
        {"metricName": "Errors", "metricNamespace": "App", "metricValue": value, "defaultValue": 0}
    ]})
}

async fn put(caller: &Caller, messages: &[&str]) {
    let events = messages.iter().map(|message| json!({"timestamp": caller.now(), "message": message}));
    let events: Vec<_> = events.collect();
    caller.ok("PutLogEvents", json!({"logGroupName": "g", "logStreamName": "s", "logEvents": events})).await;
}

fn sent(caller: &Caller) -> Vec<(String, f64)> {
    let samples = std::mem::take(&mut *caller.metrics.0.lock().unwrap());
    samples.into_iter().map(|(namespace, sample)| (format!("{namespace}/{}", sample.name), sample.value)).collect()
}

#[tokio::test]
async fn a_filter_counts_what_comes_after_it_was_put_and_until_it_is_deleted() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    put(&caller, &["ERROR before"]).await;
    caller.ok("PutMetricFilter", filter("f", "ERROR", "1")).await;
    put(&caller, &["ERROR one", "fine", "ERROR two"]).await;
    assert_eq!(sent(&caller), [("App/Errors".to_owned(), 1.0), ("App/Errors".to_owned(), 1.0)]);
    put(&caller, &["fine"]).await;
    assert_eq!(sent(&caller), [("App/Errors".to_owned(), 0.0)]);
    caller.ok("PutMetricFilter", filter("f", "{ $.n > 0 }", "$.n")).await;
    put(&caller, &["ERROR three", r#"{"n": 7}"#]).await;
    assert_eq!(sent(&caller), [("App/Errors".to_owned(), 7.0)]);
    caller.ok("DeleteMetricFilter", json!({"logGroupName": "g", "filterName": "f"})).await;
    put(&caller, &["ERROR after"]).await;
    assert_eq!(sent(&caller), []);
}

#[tokio::test]
async fn filters_are_described_by_group_prefix_and_metric() {
    let caller = Caller::new();
    caller.stream("g", "s").await;
    for name in ["b/2", "a", "b"] {
        caller.ok("PutMetricFilter", filter(name, "ERROR", "1")).await;
    }
    caller.group("h").await;
    let mut other = filter("b", "", "2");
    other["logGroupName"] = json!("h");
    other["metricTransformations"][0]["metricName"] = json!("All");
    caller.ok("PutMetricFilter", other).await;
    let names = |answer: Value| column(&answer["metricFilters"], "filterName");
    assert_eq!(names(caller.ok("DescribeMetricFilters", json!({"logGroupName": "g"})).await), ["a", "b", "b/2"]);
    let prefix = json!({"logGroupName": "g", "filterNamePrefix": "b"});
    assert_eq!(names(caller.ok("DescribeMetricFilters", prefix).await), ["b", "b/2"]);
    let metric = json!({"metricName": "All", "metricNamespace": "App"});
    assert_eq!(names(caller.ok("DescribeMetricFilters", metric).await), ["b"]);
    let first = caller.ok("DescribeMetricFilters", json!({"limit": 3})).await;
    let rest = caller.ok("DescribeMetricFilters", json!({"nextToken": first["nextToken"]})).await;
    assert_eq!([names(first), names(rest)].concat(), ["a", "b", "b", "b/2"]);
    let described = caller.ok("DescribeLogGroups", json!({})).await;
    assert_eq!(column(&described["logGroups"], "metricFilterCount"), [3, 1]);
    caller.ok("DeleteLogGroup", json!({"logGroupName": "g"})).await;
    assert_eq!(names(caller.ok("DescribeMetricFilters", json!({})).await), ["b"]);
}

#[tokio::test]
async fn what_cannot_be_a_filter_is_refused() {
    let caller = Caller::new();
    caller.group("g").await;
    let invalid = "InvalidParameterException";
    assert_eq!(caller.refused("PutMetricFilter", filter("f", "{ $.a", "1")).await.0, invalid);
    assert_eq!(caller.refused("PutMetricFilter", filter("f", "a", "one")).await.0, invalid);
    let mut unserved = filter("f", "a", "1");
    unserved["applyOnTransformedLogs"] = json!(true);
    assert_eq!(caller.refused("PutMetricFilter", unserved).await.0, invalid);
    let missing = caller.refused("DeleteMetricFilter", json!({"logGroupName": "g", "filterName": "f"})).await;
    assert_eq!(missing, refusal("ResourceNotFoundException", "The specified metric filter does not exist."));
    caller.ok("CreateLogGroup", json!({"logGroupName": "rare", "logGroupClass": "INFREQUENT_ACCESS"})).await;
    let mut rare = filter("f", "a", "1");
    rare["logGroupName"] = json!("rare");
    assert_eq!(caller.refused("PutMetricFilter", rare).await.0, "InvalidOperationException");
    for n in 0..5 {
        caller.ok("PutMetricFilter", filter(&format!("r{n}"), "%x[0-9]%", "1")).await;
    }
    let sixth = caller.refused("PutMetricFilter", filter("r5", "%x[0-9]%", "1")).await;
    assert_eq!(sixth, refusal("LimitExceededException", "Resource limit exceeded."));
    caller.ok("PutMetricFilter", filter("r0", "%y%", "1")).await;
    for n in 5..100 {
        caller.ok("PutMetricFilter", filter(&format!("f{n}"), "x", "1")).await;
    }
    assert_eq!(caller.refused("PutMetricFilter", filter("more", "x", "1")).await.0, "LimitExceededException");
}

#[tokio::test]
async fn a_pattern_is_tried_on_messages() {
    let caller = Caller::new();
    let messages = json!(["127.0.0.1 GET 200", "no match", "10.0.0.1 GET 404 more"]);
    let input = json!({"filterPattern": "[ip, verb, status]", "logEventMessages": messages});
    let tested = caller.ok("TestMetricFilter", input).await;
    let extracted = json!({"$ip": "127.0.0.1", "$verb": "GET", "$status": "200"});
    assert_eq!(
        tested["matches"],
        json!([{"eventNumber": 1, "eventMessage": "127.0.0.1 GET 200", "extractedValues": extracted}])
    );
}
