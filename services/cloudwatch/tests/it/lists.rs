use std::time::Duration;

use super::*;

async fn bed() -> Bed {
    let bed = Bed::new();
    for (namespace, name, host) in
        [("a", "cpu", "1"), ("a", "cpu", "2"), ("a", "ram", "1"), ("a/b", "cpu", "1"), ("b", "cpu", "1")]
    {
        let dimensions = json!([{"Name": "host", "Value": host}, {"Name": "env", "Value": "test"}]);
        let data = json!([{"MetricName": name, "Value": 1, "Dimensions": dimensions}]);
        bed.ok("PutMetricData", json!({"Namespace": namespace, "MetricData": data})).await;
    }
    bed
}

async fn listed(bed: &Bed, input: Value) -> Vec<String> {
    let answer = bed.ok("ListMetrics", input).await;
    let line = |it: &Value| {
        let dimensions = it["Dimensions"].as_array().unwrap().iter();
        let host = dimensions.clone().find(|it| it["Name"] == "host").unwrap()["Value"].as_str().unwrap();
        format!("{} {} {host}", it["Namespace"].as_str().unwrap(), it["MetricName"].as_str().unwrap())
    };
    let mut lines: Vec<String> = answer["Metrics"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn metrics_are_listed_by_namespace_name_and_dimensions() {
    let bed = bed().await;
    for (input, expected) in [
        (json!({}), &["a cpu 1", "a cpu 2", "a ram 1", "a/b cpu 1", "b cpu 1"][..]),
        (json!({"Namespace": "a"}), &["a cpu 1", "a cpu 2", "a ram 1"]),
        (json!({"Namespace": "a/b"}), &["a/b cpu 1"]),
        (json!({"Namespace": "a", "MetricName": "cpu"}), &["a cpu 1", "a cpu 2"]),
        (json!({"MetricName": "ram"}), &["a ram 1"]),
        (json!({"Dimensions": [{"Name": "host", "Value": "2"}]}), &["a cpu 2"]),
        (json!({"Namespace": "b", "Dimensions": [{"Name": "env"}]}), &["b cpu 1"]),
        (json!({"Dimensions": [{"Name": "other"}]}), &[]),
    ] {
        assert_eq!(listed(&bed, input.clone()).await, expected, "{input}");
    }
}

#[tokio::test]
async fn a_metric_is_listed_for_two_weeks_and_counts_as_recent_for_three_hours() {
    let mut bed = bed().await;
    bed.pass(2 * 3600).await;
    assert_eq!(listed(&bed, json!({"RecentlyActive": "PT3H"})).await.len(), 5);
    bed.pass(2 * 3600).await;
    assert_eq!(listed(&bed, json!({"RecentlyActive": "PT3H"})).await.len(), 0);
    assert_eq!(listed(&bed, json!({})).await.len(), 5);
    bed.clock.advance(Duration::from_secs(14 * 86_400));
    assert_eq!(listed(&bed, json!({})).await.len(), 0);
}

#[tokio::test]
async fn many_metrics_come_in_pages_of_five_hundred() {
    let bed = Bed::new();
    for part in 0..2 {
        let data: Vec<Value> =
            (0..600).map(|n| json!({"MetricName": format!("m{}", part * 600 + n), "Value": 1})).collect();
        bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    }
    let (mut sizes, mut names, mut token) = (Vec::new(), std::collections::BTreeSet::new(), Value::Null);
    loop {
        let input = if token.is_null() { json!({}) } else { json!({"NextToken": token}) };
        let answer = bed.ok("ListMetrics", input).await;
        let metrics = answer["Metrics"].as_array().unwrap();
        sizes.push(metrics.len());
        names.extend(metrics.iter().map(|it| it["MetricName"].as_str().unwrap().to_owned()));
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!((sizes, names.len()), (vec![500, 500, 200], 1200));
}
