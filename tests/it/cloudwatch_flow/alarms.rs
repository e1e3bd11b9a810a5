//! An alarm that goes off because of what is measured, and ends because of it.

use serde_json::{Value, json};
use tests::program::{LIMIT, until};
use tests::{Account, Aws, Server};

use super::call;
use crate::security::now;

/// The length of the alarm's period in seconds, the shortest but one.
const PERIOD_S: i64 = 10;

fn put(server: &Server, account: &Account, at_s: i64, value: f64) {
    let datum = json!({ "MetricName": "Load", "Timestamp": at_s, "Value": value, "StorageResolution": 1 });
    call(server, account, "PutMetricData", &json!({ "Namespace": "Shop", "MetricData": [datum] }));
}

/// Waits until the alarm and the composite one above it are in a state.
#[track_caller]
fn wait_for(server: &Server, account: &Account, state: &str) -> Value {
    let input = json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] });
    let found = until(LIMIT, || {
        let told = call(server, account, "DescribeAlarms", &input);
        let is_in = |kind: &str| told[kind][0]["StateValue"] == state;
        (is_in("MetricAlarms") && is_in("CompositeAlarms")).then(|| told["MetricAlarms"][0].clone())
    });
    found.unwrap_or_else(|| panic!("not {state}: {}", call(server, account, "DescribeAlarms", &input)))
}

#[test]
fn an_alarm_goes_off_and_back_as_its_metric_does() {
    let server = Server::shared();
    let account = server.account();
    let rule = json!({
        "AlarmName": "busy", "Namespace": "Shop", "MetricName": "Load", "Statistic": "Maximum", "Period": PERIOD_S,
        "EvaluationPeriods": 1, "Threshold": 0.9, "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "ignore", "AlarmActions": [], "AlarmDescription": "too much to do",
    });
    call(&server, &account, "PutMetricAlarm", &rule);
    call(&server, &account, "PutCompositeAlarm", &json!({ "AlarmName": "above", "AlarmRule": "ALARM(busy)" }));
    // The period before this one is over: it is looked at as soon as there is something in it.
    put(&server, &account, now().as_secs() - PERIOD_S - 2, 0.95);
    let alarm = wait_for(&server, &account, "ALARM");
    let reason = alarm["StateReason"].as_str().unwrap();
    assert!(reason.starts_with("Threshold Crossed: 1") && reason.contains("0.95"), "{reason}");
    let data: Value = serde_json::from_str(alarm["StateReasonData"].as_str().unwrap()).unwrap();
    assert_eq!((&data["recentDatapoints"], &data["threshold"]), (&json!([0.95]), &json!(0.9)));

    // What is measured now counts when its period is over.
    put(&server, &account, now().as_secs(), 0.1);
    let alarm = wait_for(&server, &account, "OK");
    assert!(alarm["StateReason"].as_str().unwrap().contains("0.1"), "{alarm}");

    let aws = Aws::new(&server, &account.root);
    let history =
        ["cloudwatch", "describe-alarm-history", "--alarm-name", "busy", "--history-item-type", "StateUpdate"];
    let found = aws.call(&[&history[..], &["--scan-by", "TimestampAscending"]].concat());
    let items = found["AlarmHistoryItems"].as_array().unwrap();
    let changes: Vec<&str> = items.iter().filter_map(|item| item["HistorySummary"].as_str()).collect();
    let last_two = &changes[changes.len().saturating_sub(2)..];
    assert!(last_two[0].ends_with("to ALARM"), "{changes:?}");
    assert_eq!(last_two[1], "Alarm updated from ALARM to OK", "{changes:?}");
    let data: Value = serde_json::from_str(items.last().unwrap()["HistoryData"].as_str().unwrap()).unwrap();
    assert_eq!((&data["oldState"]["stateValue"], &data["newState"]["stateValue"]), (&json!("ALARM"), &json!("OK")));
}
