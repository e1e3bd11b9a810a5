//! What a function gets: `{"awslogs": {"data": …}}`, and in `data` a document in gzip and base64.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

/// How much of messages goes into one document, in bytes: packed and in base64 it is less than an event may have, whatever the
/// messages are. A longer message is alone.
const MESSAGES_BYTES_MAX: usize = 512 * 1024;
/// What an event counts beyond its message, in bytes.
const EVENT_BYTES: usize = 128;

/// A document.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    message_type: &'static str,
    owner: &'a str,
    log_group: &'a str,
    log_stream: &'a str,
    subscription_filters: [&'a str; 1],
    log_events: &'a [LogEvent<'a>],
}

/// An event in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogEvent<'a> {
    pub(super) id: String,
    pub(super) timestamp: i64,
    pub(super) message: &'a str,
    /// The fields that a space-delimited pattern names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) extracted_fields: Option<BTreeMap<String, String>>,
}

impl<'a> Document<'a> {
    /// One without events.
    pub(super) fn new(owner: &'a str, group: &'a str, stream: &'a str, filter: &'a str) -> Self {
        Self {
            message_type: "DATA_MESSAGE",
            owner,
            log_group: group,
            log_stream: stream,
            subscription_filters: [filter],
            log_events: &[],
        }
    }
}

/// Events for a function, each with as many log events as fit.
pub(super) fn pack(document: Document<'_>, events: Vec<LogEvent<'_>>) -> Vec<Vec<u8>> {
    let mut packed = Vec::new();
    let mut rest = events.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest));
        let document = Document { log_events: now, ..document.clone() };
        match event(&document) {
            Ok(event) => packed.push(event),
            Err(error) => tracing::error!(%error, "log events could not be packed"),
        }
        rest = later;
    }
    packed
}

/// How many events fit into one document: one at least.
fn fitting(events: &[LogEvent<'_>]) -> usize {
    let mut bytes = 0;
    let over = events.iter().position(|event| {
        let fields = event.extracted_fields.iter().flatten().map(|(name, value)| name.len() + value.len());
        bytes += event.message.len() + fields.sum::<usize>() + EVENT_BYTES;
        bytes > MESSAGES_BYTES_MAX
    });
    over.unwrap_or(events.len()).max(1)
}

fn event(document: &Document<'_>) -> std::io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&serde_json::to_vec(document)?)?;
    let data = BASE64.encode(packed.finish()?);
    Ok(format!(r#"{{"awslogs":{{"data":"{data}"}}}}"#).into_bytes())
}
