//! An event as a query sees it.

use serde_json::Value as Json;

use super::value::Value;
use super::{Field, lambda, scope, time};

/// How many fields are listed of one event (CloudWatch Logs' quota for those found in JSON).
pub const DISCOVERED_FIELDS_MAX: usize = 1000;

/// How long the path to a listed field may be, in bytes: a long name above many values would be repeated for each.
const PATH_BYTES_MAX: usize = 1024;

/// An event as a query sees it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'r> {
    /// `@timestamp`, in milliseconds since 1970.
    pub timestamp_ms: i64,
    /// `@ingestionTime`, in milliseconds since 1970.
    pub ingestion_ms: i64,
    /// `@message`.
    pub message: &'r str,
    /// `@logStream`.
    pub log_stream: &'r str,
    /// `@log`: `<account>:<group>`.
    pub log: &'r str,
    /// `@ptr`: what GetLogRecord takes.
    pub ptr: &'r str,
}

impl Record<'_> {
    /// All fields that a query finds in it, the first 1000 members of its document among them: what GetLogRecord answers
    /// and what GetLogGroupFields counts.
    pub fn fields(&self) -> Vec<Field> {
        let field = |name: &str, value: &str| Field { field: name.to_owned(), value: value.to_owned() };
        let mut fields = vec![
            field("@timestamp", &time::shown(self.timestamp_ms)),
            field("@ingestionTime", &time::shown(self.ingestion_ms)),
            field("@message", self.message),
            field("@logStream", self.log_stream),
            field("@log", self.log),
            field("@ptr", self.ptr),
        ];
        for name in lambda::FIELDS {
            fields.extend(lambda::field(self.message, name).shown().map(|value| field(name, &value)));
        }
        if let Some(document) = scope::document(self.message) {
            let most = fields.len() + DISCOVERED_FIELDS_MAX;
            flatten(&document, &mut String::new(), &mut fields, most);
        }
        fields
    }
}

/// The values in a document, each with the path that leads to it. The parser's limit bounds the depth.
fn flatten(json: &Json, path: &mut String, fields: &mut Vec<Field>, most: usize) {
    let mut step = |name: &str, member: &Json| {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        flatten(member, path, fields, most);
        path.truncate(length);
    };
    match json {
        Json::Object(members) => members.iter().for_each(|(name, member)| step(name, member)),
        Json::Array(items) => items.iter().enumerate().for_each(|(i, item)| step(&i.to_string(), item)),
        _ if fields.len() >= most || path.len() > PATH_BYTES_MAX => {}
        _ => {
            let value = Value::of_json(json);
            fields.extend(value.shown().map(|value| Field { field: path.clone(), value: value.into_owned() }));
        }
    }
}
