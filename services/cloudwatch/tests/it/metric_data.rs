use super::*;

fn metric(id: &str, name: &str, stat: &str) -> Value {
    json!({"Id": id, "MetricStat": {"Metric": {"Namespace": "test", "MetricName": name}, "Period": 60, "Stat": stat}})
}

async fn ask(bed: &Bed, queries: Value, extra: Value) -> Value {
    let mut input = json!({"StartTime": START, "EndTime": START + 300, "MetricDataQueries": queries});
    input.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    bed.ok("GetMetricData", input).await
}

/// Two metrics over five minutes: a = 1 2 - 4 5, b = 10 - 30 0 50.
async fn bed() -> Bed {
    let bed = Bed::new();
    let mut data = Vec::new();
    for (name, values) in
        [("a", [Some(1), Some(2), None, Some(4), Some(5)]), ("b", [Some(10), None, Some(30), Some(0), Some(50)])]
    {
        for (minute, value) in values.iter().enumerate() {
            if let Some(value) = value {
                data.push(json!({"MetricName": name, "Value": value, "Timestamp": START + 60 * minute as i64 + 7}));
            }
        }
    }
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    bed
}

#[tokio::test]
async fn metrics_and_expressions_over_them() {
    let bed = bed().await;
    let queries = json!([
        metric("a", "a", "Sum"),
        {"Id": "b", "ReturnData": false, "Label": "the other", "MetricStat": metric("b", "b", "Sum")["MetricStat"]},
        {"Id": "e1", "Expression": "a + b", "Label": "both"},
        {"Id": "e2", "Expression": "e1 * 2"},
        {"Id": "e3", "Expression": "METRICS() / 1", "Label": "each"}
    ]);
    let answer = ask(&bed, queries, json!({"ScanBy": "TimestampAscending"})).await;
    let found: Vec<(&str, &str, Value)> = answer["MetricDataResults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["Id"].as_str().unwrap(), it["Label"].as_str().unwrap(), it["Values"].clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("a", "a", json!([1.0, 2.0, 4.0, 5.0])),
            ("e1", "both", json!([11.0, 2.0, 30.0, 4.0, 55.0])),
            ("e2", "e2", json!([22.0, 4.0, 60.0, 8.0, 110.0])),
            ("e3", "each a", json!([1.0, 2.0, 4.0, 5.0])),
            ("e3", "each the other", json!([10.0, 30.0, 0.0, 50.0])),
        ]
    );
    assert_eq!(answer["MetricDataResults"][0]["StatusCode"], "Complete");
    assert_eq!(answer["MetricDataResults"][0]["Timestamps"][0], json!(START));
    assert!(answer["NextToken"].is_null());
}

#[tokio::test]
async fn the_newest_comes_first_and_pages_go_on_where_the_last_ended() {
    let bed = bed().await;
    let queries = json!([metric("a", "a", "Sum"), metric("b", "b", "Sum")]);
    let mut token = Value::Null;
    let mut found: Vec<(String, f64)> = Vec::new();
    let mut statuses = Vec::new();
    loop {
        let mut extra = json!({"MaxDatapoints": 3});
        if !token.is_null() {
            extra["NextToken"] = token.clone();
        }
        let answer = ask(&bed, queries.clone(), extra).await;
        for result in answer["MetricDataResults"].as_array().unwrap() {
            statuses.push(result["StatusCode"].as_str().unwrap().to_owned());
            let values = result["Values"].as_array().unwrap().iter();
            found.extend(values.map(|it| (result["Id"].as_str().unwrap().to_owned(), it.as_f64().unwrap())));
        }
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    let expected = [("a", 5.0), ("a", 4.0), ("a", 2.0), ("a", 1.0), ("b", 50.0), ("b", 0.0), ("b", 30.0), ("b", 10.0)];
    assert_eq!(found, expected.map(|(id, value)| (id.to_owned(), value)));
    assert_eq!(statuses, ["PartialData", "Complete", "PartialData", "Complete"]);
}

#[tokio::test]
async fn a_metric_without_data_is_empty_and_complete() {
    let bed = bed().await;
    let answer = ask(&bed, json!([metric("m1", "nothing", "Average")]), json!({})).await;
    let result = &answer["MetricDataResults"][0];
    assert_eq!(
        (&result["Values"], &result["StatusCode"], &result["Label"]),
        (&json!([]), &json!("Complete"), &json!("nothing"))
    );
}

#[tokio::test]
async fn percentiles_labels_and_fills() {
    let bed = bed().await;
    let queries = json!([
        {"Id": "m1", "Label": "[${MAX}] ${PROP('MetricName')}", "MetricStat": metric("m1", "a", "p90")["MetricStat"]},
        {"Id": "e1", "Expression": "FILL(m1, LINEAR)"}
    ]);
    let answer = ask(&bed, queries, json!({"ScanBy": "TimestampAscending"})).await;
    assert_eq!(answer["MetricDataResults"][0]["Label"], "[5.0] a");
    assert_eq!(answer["MetricDataResults"][1]["Values"], json!([1.0, 2.0, 3.0, 4.0, 5.0]));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let bed = bed().await;
    let input = |queries: Value| json!({"StartTime": START, "EndTime": START + 300, "MetricDataQueries": queries});
    for (input, code, part) in [
        (input(json!([{"Id": "e1", "Expression": "SEARCH('{test}', 'Sum', 60)"}])), "ValidationError", "not served"),
        (input(json!([{"Id": "e1", "Expression": "SELECT MAX(a) FROM test"}])), "ValidationError", "not served"),
        (input(json!([{"Id": "e1", "Expression": "AVG(TIME_SERIES(1))"}])), "ValidationError", "a scalar"),
        (input(json!([{"Id": "e1", "Expression": "x"}])), "ValidationError", "Unresolved identifier: x"),
        (
            input(json!([{"Id": "e1", "Expression": "TIME_SERIES(1)", "ReturnData": false}])),
            "ValidationError",
            "ReturnData",
        ),
        (
            json!({"StartTime": START, "EndTime": START, "MetricDataQueries": [metric("a", "a", "Sum")]}),
            "ValidationError",
            "StartTime must be less",
        ),
        (
            json!({"StartTime": 0, "EndTime": 9_000_000_000i64, "MetricDataQueries": [metric("a", "a", "Sum")]}),
            "ValidationError",
            "too many datapoints",
        ),
        (
            json!({"StartTime": START, "EndTime": START + 60, "NextToken": "nonsense", "MetricDataQueries": [metric("a", "a", "Sum")]}),
            "InvalidNextToken",
            "next token",
        ),
    ] {
        let (found, message) = bed.refused("GetMetricData", input.clone()).await;
        assert!(found == code && message.contains(part), "{input}: {found} {message}");
    }
}

#[tokio::test]
async fn labels_that_grow_from_expression_to_expression_come_to_an_end() {
    let bed = bed().await;
    let label = "x".repeat(5000);
    let mut queries: Vec<Value> = (0..100).map(|n| metric(&format!("m{n}"), "a", "Sum")).collect();
    queries.push(json!({"Id": "e0", "Expression": "METRICS()", "Label": label}));
    queries.extend(
        (1..300).map(|n| json!({"Id": format!("e{n}"), "Expression": format!("e{} / 1", n - 1), "Label": label})),
    );
    let input = json!({"StartTime": START, "EndTime": START + 300, "MetricDataQueries": queries});
    assert_eq!(bed.refused("GetMetricData", input).await.0, "ValidationError");
}
