use super::*;

async fn child(bed: &Bed, name: &str) {
    let input = json!({
        "AlarmName": name, "Namespace": "test", "MetricName": "m", "Statistic": "Maximum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 50, "ComparisonOperator": "GreaterThanThreshold"
    });
    bed.ok("PutMetricAlarm", input).await;
}

async fn set(bed: &mut Bed, name: &str, state: &str) {
    bed.clock.advance(std::time::Duration::from_secs(1));
    bed.ok("SetAlarmState", json!({"AlarmName": name, "StateValue": state, "StateReason": "r"})).await;
    bed.settle().await;
}

async fn described(bed: &Bed, name: &str) -> Value {
    let input = json!({"AlarmNames": [name], "AlarmTypes": ["CompositeAlarm"]});
    bed.ok("DescribeAlarms", input).await["CompositeAlarms"][0].clone()
}

#[tokio::test]
async fn a_composite_alarm_follows_its_children() {
    let mut bed = Bed::new();
    child(&bed, "a").await;
    child(&bed, "b").await;
    let rule = format!("ALARM(a) AND NOT OK(\"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:b\")");
    bed.ok("PutCompositeAlarm", json!({"AlarmName": "both", "AlarmRule": rule})).await;
    bed.ok("PutCompositeAlarm", json!({"AlarmName": "above", "AlarmRule": "ALARM(both)"})).await;
    bed.settle().await;
    assert_eq!(described(&bed, "both").await["StateValue"], "OK");
    set(&mut bed, "a", "ALARM").await;
    let both = described(&bed, "both").await;
    assert_eq!(both["StateValue"], "ALARM");
    assert_eq!(
        both["StateReason"],
        format!(
            "arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:a transitioned to ALARM at Monday 23 November, 2026 05:00:01 UTC"
        )
    );
    assert_eq!(described(&bed, "above").await["StateValue"], "ALARM");
    set(&mut bed, "b", "OK").await;
    assert_eq!(described(&bed, "both").await["StateValue"], "OK");
    assert_eq!(described(&bed, "above").await["StateValue"], "OK");

    let children = bed.ok("DescribeAlarms", json!({"ChildrenOfAlarmName": "both"})).await;
    assert_eq!(children["MetricAlarms"].as_array().unwrap().len(), 2);
    let parents = bed.ok("DescribeAlarms", json!({"ParentsOfAlarmName": "both"})).await;
    assert_eq!(parents["CompositeAlarms"][0]["AlarmName"], "above");
    let history = json!({"AlarmTypes": ["CompositeAlarm"], "HistoryItemType": "StateUpdate"});
    let items = bed.ok("DescribeAlarmHistory", history).await["AlarmHistoryItems"].as_array().unwrap().len();
    assert_eq!(items, 6);
}

#[tokio::test]
async fn a_rule_over_nothing_or_over_itself_is_refused() {
    let bed = Bed::new();
    child(&bed, "a").await;
    let put = |name: &str, rule: &str| json!({"AlarmName": name, "AlarmRule": rule});
    let (code, message) = bed.refused("PutCompositeAlarm", put("c", "ALARM(x) OR ALARM(a) OR OK(y)")).await;
    assert_eq!(code, "ValidationError");
    assert_eq!(message, "Could not save the composite alarm as alarms [x, y] in the alarm rule do not exist");
    bed.ok("PutCompositeAlarm", put("c", "ALARM(a)")).await;
    bed.ok("PutCompositeAlarm", put("d", "ALARM(c)")).await;
    for (name, rule, part) in [
        ("c", "ALARM(d)", "depend on itself"),
        ("c", "NOT ALARM(c)", "depend on itself"),
        ("e", "ALARM(a", "AlarmRule is not valid"),
        ("a", "TRUE", "another type"),
    ] {
        let (code, message) = bed.refused("PutCompositeAlarm", put(name, rule)).await;
        assert!(code == "ValidationError" && message.contains(part), "{rule}: {message}");
    }
}
