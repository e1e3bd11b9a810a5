use super::*;

/// An alarm on the maximum of `m`, with more members.
fn alarm(more: Value) -> Value {
    let mut input = json!({
        "AlarmName": "high", "Namespace": "test", "MetricName": "m", "Statistic": "Maximum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold"
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    input
}

async fn described(bed: &Bed) -> Value {
    bed.ok("DescribeAlarms", json!({"AlarmNames": ["high"]})).await["MetricAlarms"][0].clone()
}

async fn state(bed: &Bed) -> String {
    described(bed).await["StateValue"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_alarm_goes_to_alarm_and_back() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({"DatapointsToAlarm": 1}))).await;
    let new = described(&bed).await;
    assert_eq!(
        (&new["StateValue"], &new["StateReason"]),
        (&json!("INSUFFICIENT_DATA"), &json!("Unchecked: Initial alarm creation"))
    );
    assert_eq!(new["AlarmArn"], format!("arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:high"));

    bed.put(&[(5, 99.0)]).await;
    bed.pass(30).await;
    assert_eq!(state(&bed).await, "INSUFFICIENT_DATA", "the period has not ended");
    bed.pass(40).await;
    let high = described(&bed).await;
    assert_eq!(high["StateValue"], "ALARM");
    assert_eq!(
        high["StateReason"],
        "Threshold Crossed: 1 out of the last 1 datapoints [99.0 (23/11/26 05:00:00)] was greater than the threshold (50.0) \
         (minimum 1 datapoint for OK -> ALARM transition)."
    );
    let data: Value = serde_json::from_str(high["StateReasonData"].as_str().unwrap()).unwrap();
    assert_eq!(data["recentDatapoints"], json!([99.0]));
    assert_eq!(high["StateUpdatedTimestamp"], json!(START + 70));

    bed.put(&[(65, 1.0)]).await;
    bed.pass(60).await;
    let low = described(&bed).await;
    assert_eq!(low["StateValue"], "OK");
    assert!(
        low["StateReason"]
            .as_str()
            .unwrap()
            .contains("[1.0 (23/11/26 05:01:00)] was not greater than the threshold (50.0)")
    );
}

#[tokio::test]
async fn data_that_comes_late_is_evaluated_at_once() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({}))).await;
    bed.put(&[(5, 1.0)]).await;
    bed.pass(75).await;
    assert_eq!(state(&bed).await, "OK");
    bed.put(&[(59, 99.0)]).await;
    bed.settle().await;
    assert_eq!(state(&bed).await, "ALARM");
}

#[tokio::test]
async fn an_alarm_without_data_rests_until_there_is_some() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({}))).await;
    let next = bed.settle().await;
    assert!(
        next.is_none_or(|it| it > Timestamp::from_secs(START + 86_400)),
        "only history has to go one day: {next:?}"
    );
    bed.put(&[(5, 1.0)]).await;
    assert_eq!(bed.settle().await, Some(Timestamp::from_secs(START + 70)));
    bed.pass(600).await;
    assert_eq!(state(&bed).await, "INSUFFICIENT_DATA");
    assert_eq!(described(&bed).await["StateReason"], "Insufficient Data: 1 datapoint was unknown.");
    let next = bed.settle().await.unwrap();
    assert!(next > Timestamp::from_secs(START + 3600), "only the roll-up of the data is due: {next}");
}

#[tokio::test]
async fn missing_data_is_what_the_alarm_says() {
    for (treat, expected) in
        [("missing", "INSUFFICIENT_DATA"), ("ignore", "OK"), ("breaching", "ALARM"), ("notBreaching", "OK")]
    {
        let mut bed = Bed::new();
        bed.ok("PutMetricAlarm", alarm(json!({"TreatMissingData": treat}))).await;
        bed.put(&[(5, 1.0)]).await;
        bed.pass(75).await;
        assert_eq!(state(&bed).await, "OK", "{treat}");
        bed.pass(900).await;
        assert_eq!(state(&bed).await, expected, "{treat}");
    }
}

#[tokio::test]
async fn two_of_three_datapoints_are_enough_where_the_alarm_says_so() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({"EvaluationPeriods": 3, "DatapointsToAlarm": 2}))).await;
    let mut states = Vec::new();
    for (minute, value) in [99.0, 1.0, 1.0, 99.0, 1.0, 99.0, 1.0, 1.0].into_iter().enumerate() {
        bed.put(&[(60 * minute as i64 + 5, value)]).await;
        bed.pass(60).await;
        states.push(if state(&bed).await == "ALARM" { 'A' } else { '-' });
    }
    // Each state is that of the minute before.
    assert_eq!(states.iter().collect::<String>(), "------A-");
}

#[tokio::test]
async fn high_resolution_alarms_look_every_ten_seconds() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({"Period": 10}))).await;
    let data = json!([{"MetricName": "m", "Value": 99, "StorageResolution": 1, "Timestamp": START + 3}]);
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    bed.pass(11).await;
    assert_eq!(state(&bed).await, "INSUFFICIENT_DATA");
    bed.pass(1).await;
    assert_eq!(state(&bed).await, "ALARM");
}

#[tokio::test]
async fn a_longer_period_slides_by_the_minute() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({"Period": 300, "Statistic": "Sum", "Threshold": 9}))).await;
    bed.put(&[(185, 4.0), (245, 4.0), (305, 4.0)]).await;
    bed.pass(315).await;
    assert_eq!(state(&bed).await, "OK");
    bed.pass(60).await;
    assert_eq!(state(&bed).await, "ALARM");
}

#[tokio::test]
async fn an_alarm_on_an_expression() {
    let mut bed = Bed::new();
    let stat = |name: &str| json!({"Metric": {"Namespace": "test", "MetricName": name}, "Period": 60, "Stat": "Sum"});
    let metrics = json!([
        {"Id": "rate", "Expression": "errors / requests * 100", "Label": "Error rate"},
        {"Id": "errors", "MetricStat": stat("errors"), "ReturnData": false},
        {"Id": "requests", "MetricStat": stat("requests"), "ReturnData": false}
    ]);
    let input = json!({
        "AlarmName": "high", "Metrics": metrics, "EvaluationPeriods": 1, "Threshold": 5,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold"
    });
    bed.ok("PutMetricAlarm", input).await;
    let data = json!([{"MetricName": "errors", "Value": 1}, {"MetricName": "requests", "Value": 10}]);
    bed.ok("PutMetricData", json!({"Namespace": "test", "MetricData": data})).await;
    bed.pass(75).await;
    let found = described(&bed).await;
    assert_eq!(found["StateValue"], "ALARM");
    assert!(found["StateReason"].as_str().unwrap().contains("[10.0 (23/11/26 05:00:00)] was greater than or equal to"));
    assert_eq!(found["Metrics"].as_array().unwrap().len(), 3);
    assert!(found["MetricName"].is_null());
}

#[tokio::test]
async fn a_state_that_is_set_by_hand_lasts_until_the_next_evaluation() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({}))).await;
    bed.put(&[(5, 1.0)]).await;
    bed.pass(75).await;
    let set =
        json!({"AlarmName": "high", "StateValue": "ALARM", "StateReason": "testing", "StateReasonData": "{\"a\":1}"});
    bed.ok("SetAlarmState", set.clone()).await;
    bed.settle().await;
    let by_hand = described(&bed).await;
    assert_eq!((&by_hand["StateValue"], &by_hand["StateReason"]), (&json!("ALARM"), &json!("testing")));
    bed.put(&[(65, 1.0)]).await;
    bed.pass(60).await;
    assert_eq!(state(&bed).await, "OK");
    let mut wrong = set;
    wrong["StateReasonData"] = json!("{");
    assert_eq!(bed.refused("SetAlarmState", wrong).await.0, "InvalidFormat");
    let missing = json!({"AlarmName": "other", "StateValue": "OK", "StateReason": "r"});
    assert_eq!(bed.refused("SetAlarmState", missing).await.0, "ResourceNotFound");
}

#[tokio::test]
async fn alarms_go_on_in_a_new_process() {
    let mut bed = Bed::new();
    bed.ok("PutMetricAlarm", alarm(json!({}))).await;
    bed.put(&[(5, 99.0), (3605, 1.0)]).await;
    bed.pass(20).await;
    let mut bed = bed.restarted();
    bed.pass(60).await;
    assert_eq!(state(&bed).await, "ALARM");
    let mut bed = bed.restarted();
    bed.pass(3600).await;
    assert_eq!(state(&bed).await, "OK", "data that lay ahead when the process began is not forgotten");
}

#[tokio::test]
async fn what_is_no_alarm_is_refused() {
    let bed = Bed::new();
    let query = json!([{"Id": "e1", "Expression": "TIME_SERIES(1)", "Period": 60}]);
    let without = |name: &str| {
        let mut input = alarm(json!({}));
        input.as_object_mut().unwrap().remove(name);
        input
    };
    for (input, part) in [
        (without("MetricName"), "MetricName"),
        (without("Threshold"), "Threshold"),
        (without("ComparisonOperator"), "ComparisonOperator"),
        (without("EvaluationPeriods"), "EvaluationPeriods"),
        (without("Statistic"), "Exactly one of Statistic"),
        (alarm(json!({"ExtendedStatistic": "p99"})), "Exactly one of Statistic"),
        (alarm(json!({"Period": 45})), "Period must be 10, 20, 30 or a multiple of 60"),
        (alarm(json!({"EvaluationPeriods": 1441})), "EvaluationPeriods * Period must be <= 86400"),
        (alarm(json!({"DatapointsToAlarm": 2})), "DatapointsToAlarm"),
        (alarm(json!({"TreatMissingData": "x"})), "TreatMissingData"),
        (alarm(json!({"EvaluateLowSampleCountPercentile": "ignore"})), "percentile only"),
        (alarm(json!({"AlarmActions": ["nonsense"]})), "Invalid arn syntax: nonsense"),
        (alarm(json!({"ComparisonOperator": "LessThanLowerThreshold"})), "Anomaly detection"),
        (alarm(json!({"ThresholdMetricId": "t1"})), "Anomaly detection"),
        (alarm(json!({"Metrics": query})), "mutually exclusive"),
    ] {
        let (code, message) = bed.refused("PutMetricAlarm", input.clone()).await;
        assert!(code == "ValidationError" && message.contains(part), "{input}: {code} {message}");
    }
    assert_eq!(bed.ok("DescribeAlarms", json!({})).await["MetricAlarms"], json!([]));
}

#[tokio::test]
async fn alarms_are_found_by_name_prefix_state_action_and_metric() {
    let mut bed = Bed::new();
    let topic = format!("arn:aws:sns:us-east-1:{ACCOUNT}:ops");
    for name in ["web/a", "web/b", "db"] {
        bed.ok("PutMetricAlarm", alarm(json!({"AlarmName": name, "AlarmActions": [topic]}))).await;
    }
    bed.ok("PutMetricAlarm", alarm(json!({"AlarmName": "other", "MetricName": "n"}))).await;
    bed.pass(5).await;
    let names = |answer: Value| {
        let alarms = answer["MetricAlarms"].as_array().unwrap().clone();
        alarms.iter().map(|it| it["AlarmName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    bed.ok("SetAlarmState", json!({"AlarmName": "db", "StateValue": "OK", "StateReason": "r"})).await;
    for (input, expected) in [
        (json!({}), &["db", "other", "web/a", "web/b"][..]),
        (json!({"AlarmNamePrefix": "web/"}), &["web/a", "web/b"]),
        (json!({"AlarmNames": ["web/b", "missing", "db"]}), &["db", "web/b"]),
        (json!({"StateValue": "OK"}), &["db"]),
        (json!({"ActionPrefix": "arn:aws:sns"}), &["db", "web/a", "web/b"]),
        (json!({"AlarmTypes": ["CompositeAlarm"]}), &[]),
    ] {
        assert_eq!(names(bed.ok("DescribeAlarms", input.clone()).await), expected, "{input}");
    }
    let first = bed.ok("DescribeAlarms", json!({"MaxRecords": 3})).await;
    let second = bed.ok("DescribeAlarms", json!({"MaxRecords": 3, "NextToken": first["NextToken"]})).await;
    assert_eq!((names(first).len(), names(second.clone())), (3, vec!["web/b".to_owned()]));
    assert!(second["NextToken"].is_null());
    let for_metric = json!({"Namespace": "test", "MetricName": "m", "Statistic": "Maximum"});
    assert_eq!(names(bed.ok("DescribeAlarmsForMetric", for_metric).await), ["db", "web/a", "web/b"]);

    bed.ok("DeleteAlarms", json!({"AlarmNames": ["db", "missing", "web/a"]})).await;
    assert_eq!(names(bed.ok("DescribeAlarms", json!({})).await), ["other", "web/b"]);
}

#[tokio::test]
async fn alarms_have_tags() {
    let bed = Bed::new();
    let arn = format!("arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:high");
    bed.ok("PutMetricAlarm", alarm(json!({"Tags": [{"Key": "team", "Value": "a"}]}))).await;
    bed.ok("TagResource", json!({"ResourceARN": arn, "Tags": [{"Key": "env", "Value": "test"}]})).await;
    bed.ok("PutMetricAlarm", alarm(json!({"Tags": [{"Key": "team", "Value": "ignored"}]}))).await;
    let tags = bed.ok("ListTagsForResource", json!({"ResourceARN": arn})).await["Tags"].clone();
    assert_eq!(tags, json!([{"Key": "env", "Value": "test"}, {"Key": "team", "Value": "a"}]));
    bed.ok("UntagResource", json!({"ResourceARN": arn, "TagKeys": ["env", "missing"]})).await;
    let tags = bed.ok("ListTagsForResource", json!({"ResourceARN": arn})).await["Tags"].clone();
    assert_eq!(tags, json!([{"Key": "team", "Value": "a"}]));
    let missing = json!({"ResourceARN": format!("{arn}x")});
    assert_eq!(bed.refused("ListTagsForResource", missing).await.0, "ResourceNotFoundException");
    let facts = bed.cloudwatch.facts(&bed.ctx(), Asked::to("cloudwatch:DeleteAlarms"), &arn).await.unwrap();
    assert_eq!(facts.tags.get("team").map(String::as_str), Some("a"));
}
