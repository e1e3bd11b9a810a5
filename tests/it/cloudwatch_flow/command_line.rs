//! `aws cloudwatch`.

use serde_json::{Value, json};
use tests::{Aws, Server};

use crate::security::now;

#[test]
fn metrics_are_put_listed_and_computed_with() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let start = now().as_secs() / 60 * 60 - 600;
    let at = start.to_string();
    let put = ["cloudwatch", "put-metric-data", "--namespace", "Shop"];
    let datum = ["--metric-name", "Latency", "--unit", "Milliseconds", "--timestamp", &at, "--value", "10"];
    aws.call(&[&put[..], &datum, &["--dimensions", "Host=web,Stage=test"]].concat());
    let more = [(60, 20), (120, 60)].map(|(after, value)| {
        let dimensions = "Dimensions=[{Name=Host,Value=web},{Name=Stage,Value=test}]";
        format!("MetricName=Latency,Timestamp={},Value={value},Unit=Milliseconds,{dimensions}", start + after)
    });
    let others = ["Orders", "Visits"].map(|name| format!("MetricName={name},Values=[1,2,3],Counts=[1,1,2]"));
    aws.call(&[&put[..], &["--metric-data", &more[0], &more[1], &others[0], &others[1]]].concat());
    let first = aws.call(&["cloudwatch", "list-metrics", "--namespace", "Shop", "--max-items", "1"]);
    let token = first["NextToken"].as_str().expect("there is more");
    let rest = ["cloudwatch", "list-metrics", "--namespace", "Shop", "--starting-token", token];
    assert_eq!(aws.call(&rest)["Metrics"].as_array().unwrap().len(), 2);

    let (from, to) = (start.to_string(), (start + 180).to_string());
    let dimensions = json!([{ "Name": "Host", "Value": "web" }, { "Name": "Stage", "Value": "test" }]);
    let metric = json!({ "Namespace": "Shop", "MetricName": "Latency", "Dimensions": dimensions });
    let queries = json!([
        { "Id": "l", "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Average" }, "ReturnData": false },
        { "Id": "share", "Expression": "100 * l / SUM(l)", "Label": "share of all" },
        { "Id": "p", "MetricStat": { "Metric": metric, "Period": 300, "Stat": "p50" } },
    ]);
    let queries = queries.to_string();
    let window = ["--start-time", &from, "--end-time", &to, "--scan-by", "TimestampAscending"];
    let found =
        aws.call(&[&["cloudwatch", "get-metric-data", "--metric-data-queries", &queries], &window[..]].concat());
    let result = |id: &str| {
        let results = found["MetricDataResults"].as_array().unwrap();
        results.iter().find(|result| result["Id"] == id).unwrap_or_else(|| panic!("no {id}: {found}")).clone()
    };
    let shares: Vec<f64> = result("share")["Values"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert_eq!(shares.iter().map(|share| share.round()).collect::<Vec<_>>(), [11.0, 22.0, 67.0]);
    assert_eq!(
        (&result("share")["Label"], &result("share")["StatusCode"]),
        (&json!("share of all"), &json!("Complete"))
    );
    assert!(!result("p")["Values"].as_array().unwrap().is_empty(), "{found}");

    let of =
        ["cloudwatch", "get-metric-statistics", "--namespace", "Shop", "--metric-name", "Latency", "--period", "180"];
    let more = ["--statistics", "Sum", "Maximum", "--dimensions", "Name=Host,Value=web", "Name=Stage,Value=test"];
    let found = aws.call(&[&of[..], &more, &window[..4]].concat());
    let sum: f64 = found["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["Sum"].as_f64()).sum();
    assert_eq!((sum, &found["Label"]), (90.0, &json!("Latency")));
    let refused =
        aws.refused(&["cloudwatch", "put-metric-data", "--namespace", "AWS/Own", "--metric-name", "a", "--value", "1"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("InvalidParameterValue", "PutMetricData"));
}

#[test]
fn alarms_are_made_waited_for_set_and_told_page_by_page() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let names = ["a-slow", "b-slow", "c-slow"];
    let put = ["cloudwatch", "put-metric-alarm", "--alarm-name", names[0], "--namespace", "Shop", "--metric-name"];
    let rule = ["Latency", "--statistic", "Average", "--period", "300", "--evaluation-periods", "2", "--threshold"];
    let more = ["0.5", "--comparison-operator", "GreaterThanThreshold", "--tags", "Key=team,Value=storefront"];
    aws.call(&[&put[..], &rule, &more].concat());
    for name in &names[1..] {
        let rule = json!({
            "AlarmName": name, "Namespace": "Shop", "MetricName": "Latency", "Statistic": "Average", "Period": 300,
            "EvaluationPeriods": 2, "Threshold": 0.5, "ComparisonOperator": "GreaterThanThreshold",
        });
        super::call(&server, &account, "PutMetricAlarm", &rule);
    }
    aws.call(&["cloudwatch", "wait", "alarm-exists", "--alarm-names", names[0]]);
    let rule = "ALARM(a-slow) AND NOT ALARM(\"b-slow\")";
    let composite = ["cloudwatch", "put-composite-alarm", "--alarm-name", "any", "--alarm-rule", rule];
    aws.call(&composite);
    aws.call(&[
        "cloudwatch",
        "wait",
        "composite-alarm-exists",
        "--alarm-names",
        "any",
        "--alarm-types",
        "CompositeAlarm",
    ]);

    let query = "MetricAlarms[].AlarmName";
    let listed = aws.call(&["cloudwatch", "describe-alarms", "--page-size", "1", "--query", query]);
    assert_eq!(listed, json!(names));
    let first = aws.call(&["cloudwatch", "describe-alarms", "--max-items", "2", "--alarm-types", "MetricAlarm"]);
    let token = first["NextToken"].as_str().expect("there is more").to_owned();
    let rest = ["cloudwatch", "describe-alarms", "--alarm-types", "MetricAlarm", "--starting-token", &token];
    assert_eq!(aws.call(&rest)["MetricAlarms"][0]["AlarmName"], names[2]);

    let set = ["cloudwatch", "set-alarm-state", "--alarm-name", names[0], "--state-value", "ALARM", "--state-reason"];
    aws.call(&[&set[..], &["by hand"]].concat());
    // Its state is that until it is evaluated next, which may have been meanwhile; its history tells for good.
    let history = ["cloudwatch", "describe-alarm-history", "--alarm-name", names[0], "--page-size", "1"];
    let data = aws.call(&[&history[..], &["--query", "AlarmHistoryItems[].HistoryData"]].concat());
    assert!(data.to_string().contains("by hand"), "{data}");
    let summaries = aws.call(&[&history[..], &["--query", "AlarmHistoryItems[].HistorySummary"]].concat());
    let summaries: Vec<&str> = summaries.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(summaries.contains(&"Alarm updated from INSUFFICIENT_DATA to ALARM"), "{summaries:?}");
    assert_eq!(summaries.last(), Some(&"Alarm \"a-slow\" created"));

    aws.call(&[&["cloudwatch", "delete-alarms", "--alarm-names", "any"], &names[..]].concat());
    let refused = aws.refused(&[&set[..], &["gone"]].concat());
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("ResourceNotFound", "SetAlarmState"));
}
