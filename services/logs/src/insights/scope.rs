//! What a name means: the fields of one row.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use serde_json::Value as Json;

use super::lambda;
use super::value::Value;
use super::{ExecutionError, ROW_BYTES_MAX, Record};

/// A row on its way through the commands: an event, or what an earlier stage kept of one; and the fields made since.
#[derive(Debug)]
pub(super) struct Scope<'r> {
    record: Option<&'r Record<'r>>,
    json: OnceCell<Option<Json>>,
    /// Fields made by commands. Of several with one name the last counts.
    made: Vec<(Arc<str>, Value<'static>)>,
    /// How much memory was taken for this row, in bytes.
    spent: Cell<usize>,
    /// When the query was started, in milliseconds.
    pub(super) now: i64,
}

impl<'r> Scope<'r> {
    /// A row that is an event.
    pub(super) fn of_record(record: &'r Record<'r>, now: i64) -> Scope<'r> {
        Scope { record: Some(record), json: OnceCell::new(), made: vec![], spent: Cell::new(0), now }
    }

    /// A row of fields alone.
    pub(super) fn of_fields(made: Vec<(Arc<str>, Value<'static>)>, now: i64) -> Scope<'r> {
        Scope { record: None, json: OnceCell::new(), made, spent: Cell::new(0), now }
    }

    /// Makes a field, which hides an earlier one of its name.
    pub(super) fn make(&mut self, name: &Arc<str>, value: Value<'static>) {
        let value = if self.spend(value.weight()) { value } else { Value::Missing };
        self.made.push((name.clone(), value));
    }

    /// How many fields were made so far, to come back to.
    pub(super) fn mark(&self) -> usize {
        self.made.len()
    }

    /// Forgets the fields that were made since [`Scope::mark`] told this.
    pub(super) fn rewind(&mut self, mark: usize) {
        self.made.truncate(mark);
    }

    /// Counts what was made for this row. Whether that is still within the limit; else it must not be kept.
    pub(super) fn spend(&self, bytes: usize) -> bool {
        self.spent.set(self.spent.get().saturating_add(bytes));
        self.spent.get() <= ROW_BYTES_MAX
    }

    /// An error if the row took more than it may.
    pub(super) fn check(&self) -> Result<(), ExecutionError> {
        if self.spent.get() <= ROW_BYTES_MAX { Ok(()) } else { Err(ExecutionError::Row) }
    }

    /// Whether a command made a field of this name.
    pub(super) fn has_made(&self, name: &str) -> bool {
        self.made.iter().any(|(made, _)| made.as_ref() == name)
    }

    /// The fields that it was made of, and those made since.
    pub(super) fn into_fields(self) -> Vec<(Arc<str>, Value<'static>)> {
        self.made
    }

    /// The value of a field: one that a command made, one of the event's own, one found in its message.
    pub(super) fn field(&self, name: &str) -> Value<'_> {
        if let Some(value) = self.made(name) {
            return value;
        }
        let Some(record) = self.record else { return Value::Missing };
        match name {
            "@timestamp" => Value::Time(record.timestamp_ms),
            "@ingestionTime" => Value::Time(record.ingestion_ms),
            "@message" => Value::text(record.message),
            "@logStream" => Value::text(record.log_stream),
            "@log" => Value::text(record.log),
            "@ptr" => Value::text(record.ptr),
            // The guide calls what `(?<user>…)` makes `@user` as well as `user`.
            _ if name.starts_with('@') => match lambda::field(record.message, name) {
                Value::Missing => self.made(&name[1..]).unwrap_or(Value::Missing),
                found => found,
            },
            _ => self.json().and_then(|json| member(json, name)).map_or(Value::Missing, Value::of_json),
        }
    }

    /// A field that a command made, or a part of a structure that one made: `document.user.id`.
    fn made(&self, name: &str) -> Option<Value<'_>> {
        self.made.iter().rev().find_map(|(made, value)| {
            let rest = name.strip_prefix(made.as_ref())?;
            if rest.is_empty() {
                return Some(value.borrowed());
            }
            let Value::Structure(json) = value else { return None };
            Some(member(json, rest.strip_prefix('.')?).map_or(Value::Missing, Value::of_json))
        })
    }

    fn json(&self) -> Option<&Json> {
        let message = self.record?.message;
        self.json.get_or_init(|| document(message)).as_ref()
    }
}

/// The document that a message is, or the first that it contains.
pub(super) fn document(message: &str) -> Option<Json> {
    let text = &message[message.find('{')?..];
    let first = serde_json::Deserializer::from_str(text).into_iter().next()?;
    first.ok().filter(Json::is_object)
}

/// The member that a path of names and array indices with points between leads to. Names may contain points themselves.
fn member<'j>(json: &'j Json, path: &str) -> Option<&'j Json> {
    let step = |name: &str| match json {
        Json::Object(members) => members.get(name),
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    };
    if let Some(found) = step(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(at, _)| member(step(&path[..at])?, &path[at + 1..]))
}
