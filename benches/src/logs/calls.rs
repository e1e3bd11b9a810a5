//! Requests to CloudWatch Logs and what is read of their answers.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;
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
    let body = body(caller, operation, input)?;
    if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body).context("an answer that is not JSON") }
}

/// A page of events, of which only the number is kept: a client's own work is not what is measured.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    events: Vec<IgnoredAny>,
    pub(super) next_token: Option<String>,
    pub(super) next_forward_token: Option<String>,
}

impl Page {
    /// How many events it has.
    pub(super) fn events(&self) -> u64 {
        self.events.len() as u64
    }
}

/// Calls an operation that answers events.
pub(super) fn page(caller: &Caller, operation: Operation, input: &Value) -> Result<Page> {
    serde_json::from_slice(&body(caller, operation, input)?).context("an answer that is no page of events")
}

fn body(caller: &Caller, operation: Operation, input: &Value) -> Result<Vec<u8>> {
    let request = caller.sign(&plain(operation, input))?;
    let (status, body) = client::ask(caller.address, &request)?;
    ensure!(status == 200, "{operation:?} was refused: HTTP {status}: {}", String::from_utf8_lossy(&body));
    Ok(body)
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

/// The first page of a search.
pub(super) fn filter(pattern: &str) -> Plain {
    plain(Operation::FilterLogEvents, &json!({ "logGroupName": SEARCHED, "filterPattern": pattern }))
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
    fn a_page_knows_how_many_events_it_has_and_where_to_go_on() {
        let page = |text: &str| serde_json::from_str::<Page>(text);
        let some = page(r#"{"events":[{"message":"a"},{}],"nextToken":"n","searchedLogStreams":[]}"#).unwrap();
        assert_eq!((some.events(), some.next_token.as_deref(), some.next_forward_token), (2, Some("n"), None));
        assert!(page("{}").is_err());
    }
}
