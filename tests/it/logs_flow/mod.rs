//! CloudWatch Logs: events go in and are found again, whoever asks and whatever happens meanwhile.

mod command_line;
mod damage;
mod following;
mod full_disk;
mod outliving;

use serde_json::{Value, json};
use tests::raw::{Answer, Connection, Request};
use tests::{Account, REGION, Server};
use wire::model::{Protocol, ServiceModel};

use crate::security::now;

/// A call by an account's root.
#[track_caller]
pub(crate) fn ask(server: &Server, account: &Account, model: &ServiceModel, operation: &str, input: &Value) -> Answer {
    let host = server.address().to_string();
    let request = Request::of(&host, model, operation, Protocol::AwsJson11, &input.to_string());
    let request = request.signed(&account.root, model.signing_name, REGION, now());
    Connection::to(server.address()).send(&request)
}

/// A call of CloudWatch Logs that succeeds.
#[track_caller]
pub(crate) fn call(server: &Server, account: &Account, operation: &str, input: &Value) -> Value {
    let answer = ask(server, account, &logs::api::MODEL, operation, input).success();
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Makes a group with these streams.
#[track_caller]
pub(crate) fn make(server: &Server, account: &Account, group: &str, streams: &[&str]) {
    call(server, account, "CreateLogGroup", &json!({ "logGroupName": group }));
    for stream in streams {
        call(server, account, "CreateLogStream", &json!({ "logGroupName": group, "logStreamName": stream }));
    }
}

/// The input of PutLogEvents; the events are all of one instant.
pub(crate) fn batch(group: &str, stream: &str, at_ms: i64, messages: &[String]) -> Value {
    let events: Vec<Value> = messages.iter().map(|message| json!({ "timestamp": at_ms, "message": message })).collect();
    json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events })
}

/// The messages of a stream, the oldest first, page by page.
#[track_caller]
pub(crate) fn messages(server: &Server, account: &Account, group: &str, stream: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut input = json!({ "logGroupName": group, "logStreamName": stream, "startFromHead": true });
    loop {
        let page = call(server, account, "GetLogEvents", &input);
        let events = page["events"].as_array().unwrap();
        found.extend(events.iter().map(|event| event["message"].as_str().unwrap().to_owned()));
        // The token stays the same at the end.
        if input.get("nextToken") == Some(&page["nextForwardToken"]) {
            return found;
        }
        input["nextToken"] = page["nextForwardToken"].clone();
    }
}

/// A figure that the server tells of itself, by its name and labels.
#[track_caller]
fn figure(server: &Server, name: &str) -> usize {
    let host = server.address().to_string();
    let told = Connection::to(server.address()).send(&Request::get(&host, "/_pilvi/metrics")).success().text();
    let line = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in:\n{told}"))
}
