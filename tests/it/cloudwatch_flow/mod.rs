//! CloudWatch: metrics and what is computed of them by the command line, and alarms that really go off.

mod alarms;
mod command_line;

use serde_json::{Value, json};
use tests::raw::{Connection, Request};
use tests::{Account, REGION, Server};
use wire::model::Protocol;

use crate::security::now;

/// A call by an account's root that succeeds.
#[track_caller]
pub(crate) fn call(server: &Server, account: &Account, operation: &str, input: &Value) -> Value {
    let model = &cloudwatch::api::MODEL;
    let host = server.address().to_string();
    let request = Request::of(&host, model, operation, Protocol::AwsJson10, &input.to_string());
    let request = request.signed(&account.root, model.signing_name, REGION, now());
    let answer = Connection::to(server.address()).send(&request).success();
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// How many data points a metric without dimensions has had in the last hour.
#[track_caller]
pub(crate) fn sample_count(server: &Server, account: &Account, namespace: &str, metric: &str) -> usize {
    let present = now().as_secs();
    let input = json!({
        "Namespace": namespace, "MetricName": metric, "StartTime": present - 3600, "EndTime": present + 60,
        "Period": 60, "Statistics": ["SampleCount"],
    });
    let found = call(server, account, "GetMetricStatistics", &input);
    let counts = found["Datapoints"].as_array().unwrap().iter().filter_map(|point| point["SampleCount"].as_f64());
    // Far fewer than a float counts exactly.
    counts.sum::<f64>() as usize
}
