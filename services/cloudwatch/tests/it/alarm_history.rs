use super::*;

fn alarm() -> Value {
    json!({
        "AlarmName": "high", "Namespace": "test", "MetricName": "m", "Statistic": "Maximum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold",
        "AlarmActions": [format!("arn:aws:sns:us-east-1:{ACCOUNT}:ops")]
    })
}

async fn summaries(bed: &Bed, input: Value) -> Vec<String> {
    let answer = bed.ok("DescribeAlarmHistory", input).await;
    let items = answer["AlarmHistoryItems"].as_array().unwrap().clone();
    items.iter().map(|it| it["HistorySummary"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn history_tells_what_happened_and_that_nobody_was_notified() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm()).await;
    bed.put(&[(5, 99.0)]).await;
    bed.pass(75).await;
    let action = format!("Failed to execute action arn:aws:sns:us-east-1:{ACCOUNT}:ops");
    assert_eq!(
        summaries(&bed, json!({"AlarmName": "high"})).await,
        [&action[..], "Alarm updated from INSUFFICIENT_DATA to ALARM", "Alarm \"high\" created"]
    );
    assert_eq!(
        summaries(&bed, json!({"AlarmName": "high", "ScanBy": "TimestampAscending", "MaxRecords": 1})).await,
        ["Alarm \"high\" created"]
    );
    assert_eq!(summaries(&bed, json!({"HistoryItemType": "Action"})).await, [&action[..]]);
    assert_eq!(summaries(&bed, json!({"EndDate": START + 60})).await, ["Alarm \"high\" created"]);
    assert_eq!(summaries(&bed, json!({"StartDate": START + 71})).await.len(), 0);
    assert_eq!(summaries(&bed, json!({"AlarmName": "other"})).await.len(), 0);

    let items = bed.ok("DescribeAlarmHistory", json!({"AlarmName": "high"})).await["AlarmHistoryItems"].clone();
    let data = |index: usize| serde_json::from_str::<Value>(items[index]["HistoryData"].as_str().unwrap()).unwrap();
    assert_eq!((&data(0)["actionState"], &items[0]["HistoryItemType"]), (&json!("Failed"), &json!("Action")));
    assert_eq!(data(1)["oldState"]["stateReason"], "Unchecked: Initial alarm creation");
    assert_eq!(data(1)["newState"]["stateReasonData"]["recentDatapoints"], json!([99.0]));
    assert_eq!((&data(2)["type"], &data(2)["createdAlarm"]["threshold"]), (&json!("Create"), &json!(50.0)));
}

#[tokio::test]
async fn disabled_actions_are_not_tried() {
    let bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm()).await;
    bed.ok("DisableAlarmActions", json!({"AlarmNames": ["high", "missing"]})).await;
    let set = |state: &str| json!({"AlarmName": "high", "StateValue": state, "StateReason": "r"});
    bed.ok("SetAlarmState", set("ALARM")).await;
    assert_eq!(summaries(&bed, json!({"HistoryItemType": "Action"})).await.len(), 0);
    bed.ok("SetAlarmState", set("OK")).await;
    bed.ok("EnableAlarmActions", json!({"AlarmNames": ["high"]})).await;
    bed.ok("SetAlarmState", set("ALARM")).await;
    assert_eq!(summaries(&bed, json!({"HistoryItemType": "Action"})).await.len(), 1);
}

#[tokio::test]
async fn history_outlives_the_alarm_and_goes_after_thirty_days() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm()).await;
    bed.ok("PutMetricAlarm", alarm()).await;
    bed.pass(3600).await;
    bed.ok("DeleteAlarms", json!({"AlarmNames": ["high"]})).await;
    let mut sorted = summaries(&bed, json!({"AlarmName": "high"})).await;
    assert_eq!(sorted[0], "Alarm \"high\" deleted");
    sorted.sort();
    assert_eq!(sorted, ["Alarm \"high\" created", "Alarm \"high\" deleted", "Alarm \"high\" updated"]);
    bed.pass(29 * 86_400).await;
    assert_eq!(summaries(&bed, json!({"AlarmName": "high"})).await.len(), 3);
    bed.pass(2 * 86_400).await;
    assert_eq!(summaries(&bed, json!({"AlarmName": "high"})).await.len(), 0);
}

#[tokio::test]
async fn history_comes_in_pages() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm()).await;
    for n in 0..10 {
        bed.clock.advance(std::time::Duration::from_secs(1));
        let state = if n % 2 == 0 { "OK" } else { "INSUFFICIENT_DATA" };
        bed.ok("SetAlarmState", json!({"AlarmName": "high", "StateValue": state, "StateReason": "r"})).await;
    }
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"AlarmName": "high", "MaxRecords": 3});
        if !token.is_null() {
            input["NextToken"] = token.clone();
        }
        let answer = bed.ok("DescribeAlarmHistory", input).await;
        let items = answer["AlarmHistoryItems"].as_array().unwrap().clone();
        assert!(items.len() <= 3);
        found.extend(items.iter().map(|it| it["Timestamp"].as_f64().unwrap() as i64 - START));
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, (0..=10).rev().collect::<Vec<_>>());
    bed.settle().await;
}
