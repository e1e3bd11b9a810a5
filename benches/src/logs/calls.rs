//! Requests to CloudWatch Logs and what is read of their answers.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::lines::Line;
use crate::client;
use crate::signed::{Caller, Plain};

/// The group that is searched.
pub(super) const SEARCHED: &str = "searched";
/// Its streams: even ones have text, odd ones JSON.
pub(super) const SEARCHED_STREAMS: usize = 4;

/// An operation's request.
pub(super) fn plain(operation: Operation, input: &Value) -> Plain {
    Plain {
        service: "logs",
        target: Some(operation.target()),
        content_type: "application/x-amz-json-1.1",
        body: input.to_string(),
    }
}

/// An operation that is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operation {
    CreateLogGroup,
    CreateLogStream,
    DeleteLogGroup,
    FilterLogEvents,
    GetLogEvents,
    GetQueryResults,
    PutLogEvents,
    StartQuery,
}

impl Operation {
    const fn target(self) -> &'static str {
        match self {
            Self::CreateLogGroup => "Logs_20140328.CreateLogGroup",
            Self::CreateLogStream => "Logs_20140328.CreateLogStream",
            Self::DeleteLogGroup => "Logs_20140328.DeleteLogGroup",
            Self::FilterLogEvents => "Logs_20140328.FilterLogEvents",
            Self::GetLogEvents => "Logs_20140328.GetLogEvents",
            Self::GetQueryResults => "Logs_20140328.GetQueryResults",
            Self::PutLogEvents => "Logs_20140328.PutLogEvents",
            Self::StartQuery => "Logs_20140328.StartQuery",
        }
    }
}

/// The name of a stream.
pub(super) fn stream(number: usize) -> String {
    format!("task/{number}")
}

/// Calls an operation and answers what it answered; nothing for an empty body.
pub(super) fn call(caller: &Caller, operation: Operation, input: &Value) -> Result<Value> {
    let request = caller.sign(&plain(operation, input))?;
    let (status, body) = client::ask(caller.address, &request)?;
    ensure!(status == 200, "{operation:?} was refused: HTTP {status}: {}", String::from_utf8_lossy(&body));
    if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body).context("an answer that is not JSON") }
}

/// Makes a group with so many streams.
pub(super) fn make_group(caller: &Caller, group: &str, streams: usize) -> Result<()> {
    call(caller, Operation::CreateLogGroup, &json!({ "logGroupName": group }))?;
    for number in 0..streams {
        let input = json!({ "logGroupName": group, "logStreamName": stream(number) });
        call(caller, Operation::CreateLogStream, &input)?;
    }
    Ok(())
}

/// A batch of events for a stream, not signed yet.
pub(super) fn put(group: &str, stream: &str, lines: &[&Line]) -> Plain {
    let event = |line: &&Line| json!({ "timestamp": line.at_ms, "message": line.message });
    let events: Vec<Value> = lines.iter().map(event).collect();
    plain(Operation::PutLogEvents, &json!({ "logGroupName": group, "logStreamName": stream, "logEvents": events }))
}

/// How many events of an answer there are.
pub(super) fn events_in(answer: &Value) -> Result<u64> {
    Ok(u64::try_from(answer["events"].as_array().context("an answer without events")?.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_names_its_group_stream_and_events() {
        let line = Line { at_ms: 5, message: "a\"b".to_owned(), is_json: false };
        let plain = put("g", &stream(3), &[&line]);
        assert_eq!(plain.target, Some("Logs_20140328.PutLogEvents"));
        let body: Value = serde_json::from_str(&plain.body).unwrap();
        let expected = json!({
            "logGroupName": "g", "logStreamName": "task/3", "logEvents": [{ "timestamp": 5, "message": "a\"b" }],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn an_answer_without_events_is_none() {
        assert_eq!(events_in(&json!({ "events": [1, 2] })).unwrap(), 2);
        assert!(events_in(&json!({})).is_err());
    }
}
