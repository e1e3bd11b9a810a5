//! The fields that Insights finds in what AWS Lambda writes about an invocation.
//!
//! Source: CloudWatch Logs User Guide, "Supported logs and discovered fields": `@requestId`, `@duration`,
//! `@billedDuration`, `@type`, `@maxMemoryUsed`, `@memorySize`, `@initDuration`, `@xrayTraceId`, `@xraySegmentId`. Durations
//! are in milliseconds, sizes in bytes.

use super::value::{Number, Value};

/// The names of all of them.
pub(super) const FIELDS: [&str; 9] = [
    "@type",
    "@requestId",
    "@duration",
    "@billedDuration",
    "@initDuration",
    "@memorySize",
    "@maxMemoryUsed",
    "@xrayTraceId",
    "@xraySegmentId",
];

const TYPES: [&str; 4] = ["START", "END", "REPORT", "INIT_START"];
const BYTES_PER_MB: f64 = 1_000_000.0;

/// The value of such a field; missing where the message has none.
pub(super) fn field<'m>(message: &'m str, name: &str) -> Value<'m> {
    find(message, name).unwrap_or(Value::Missing)
}

fn find<'m>(message: &'m str, name: &str) -> Option<Value<'m>> {
    let kind = TYPES.into_iter().find(|kind| message.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' ')));
    match name {
        "@type" => kind.map(Value::text),
        "@requestId" if kind.is_some() => labelled(message, "RequestId: ").map(Value::text),
        "@requestId" => request_id_of_line(message).map(Value::text),
        "@duration" => measured(message, "\tDuration: ", "ms", 1.0),
        "@billedDuration" => measured(message, "\tBilled Duration: ", "ms", 1.0),
        "@initDuration" => measured(message, "\tInit Duration: ", "ms", 1.0),
        "@memorySize" => measured(message, "\tMemory Size: ", "MB", BYTES_PER_MB),
        "@maxMemoryUsed" => measured(message, "\tMax Memory Used: ", "MB", BYTES_PER_MB),
        "@xrayTraceId" => labelled(message, "XRAY TraceId: ").map(Value::text),
        "@xraySegmentId" => labelled(message, "SegmentId: ").map(Value::text),
        _ => None,
    }
}

/// The word behind a label.
fn labelled<'m>(message: &'m str, label: &str) -> Option<&'m str> {
    let rest = &message[message.find(label)? + label.len()..];
    let word = rest.split(char::is_whitespace).next()?;
    if word.is_empty() { None } else { Some(word) }
}

/// A number with a unit in a REPORT line, times a factor.
fn measured<'m>(message: &'m str, label: &str, unit: &str, factor: f64) -> Option<Value<'m>> {
    if !message.starts_with("REPORT ") {
        return None;
    }
    let rest = &message[message.find(label)? + label.len()..];
    let (number, rest) = rest.split_once(' ')?;
    let number = Number::parse(number)?;
    if !rest.starts_with(unit) {
        return None;
    }
    Some(if factor == 1.0 { number.into() } else { Value::double(number.double() * factor) })
}

/// The request's id in a line of a function's own, as the runtimes write it: `time TAB id TAB level TAB text`, or
/// `[level] TAB time TAB id TAB text`.
fn request_id_of_line(message: &str) -> Option<&str> {
    message.split('\t').take(3).find(|part| is_uuid(part))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}
