//! GetLogGroupFields.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use base::Timestamp;
use platform::{Access, Ctx};
use segments::{Direction, GroupKey, Scan, Segments};

use crate::api::{GetLogGroupFieldsRequest, GetLogGroupFieldsResponse, LogGroupField};
use crate::insights::DISCOVERED_FIELDS_MAX;
use crate::names::{GroupName, on_either};
use crate::{Error, Logs, group};

/// How long before the time that was asked for, or before the present, is looked.
const BEFORE: Duration = Duration::from_secs(15 * 60);
/// How long after the time that was asked for is looked; before it as long.
const AROUND: Duration = Duration::from_secs(8 * 60);
/// How many events are looked at, the newest of the time.
const EVENTS_MAX: u64 = 1000;
/// How many bytes of messages are looked at.
const EVENTS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How long the path to a field may be, in bytes: a long name above many values would be repeated for each.
const PATH_BYTES_MAX: usize = 1024;
/// How many fields are counted; of more, those that were met first.
const COUNTED_FIELDS_MAX: usize = 50_000;
/// How many fields are answered, those that most events have.
const FIELDS_MAX: usize = 1000;
/// What every event has.
const OWN_FIELDS: [&str; 5] = ["@ingestionTime", "@log", "@logStream", "@message", "@timestamp"];

pub(crate) fn access(ctx: &Ctx, input: &GetLogGroupFieldsRequest) -> Access {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    on_either(ctx, "logs:GetLogGroupFields", name, identifier)
}

/// Tells which fields the events of a group have, and in how many of a hundred events each is.
pub(crate) async fn get_log_group_fields(
    logs: &Logs,
    ctx: &Ctx,
    input: GetLogGroupFieldsRequest,
) -> Result<GetLogGroupFieldsResponse, Error> {
    let name = GroupName::either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let group = group::find(&logs.platform.store, &name).await?;
    let key = name.key(&group.storage_id)?;
    let (start, end) = match input.time {
        // Seconds since 1970.
        Some(time) => (minus(Timestamp::from_secs(time), AROUND), Timestamp::from_secs(time).plus(AROUND)),
        None => (minus(ctx.now, BEFORE), ctx.now.plus(AROUND)),
    };
    let (events, fields) = logs.blocking(move |segments| count(segments, &key, start, end)).await?;
    let own = OWN_FIELDS.iter().filter(|_| events > 0).map(|name| ((*name).to_owned(), events));
    let mut fields: Vec<(String, u64)> = own.chain(fields).collect();
    fields.sort_by(|(a, in_a), (b, in_b)| in_b.cmp(in_a).then_with(|| a.cmp(b)));
    fields.truncate(FIELDS_MAX);
    let fields = fields.into_iter().map(|(name, count)| LogGroupField {
        name: Some(name),
        percent: i32::try_from(count * 100 / events.max(1)).ok(),
    });
    Ok(GetLogGroupFieldsResponse { log_group_fields: Some(fields.collect()) })
}

fn minus(instant: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(instant.as_millis() - i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

/// How many events there are, and in how many each field is.
fn count(
    segments: &Segments,
    key: &GroupKey,
    start: Timestamp,
    end: Timestamp,
) -> Result<(u64, BTreeMap<String, u64>), segments::Error> {
    let scan = Scan {
        start: Some(start),
        end: Some(end),
        direction: Direction::Backward,
        limit_events: EVENTS_MAX,
        limit_bytes: EVENTS_BYTES_MAX,
        ..Scan::default()
    };
    let mut fields = BTreeMap::new();
    let scanned = segments.scan(key, &scan, &mut |event| {
        count_fields(event.message, &mut fields);
        ControlFlow::Continue(())
    })?;
    Ok((scanned.events, fields))
}

/// Counts the fields of one event, if it is a document.
fn count_fields(message: &str, fields: &mut BTreeMap<String, u64>) {
    if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(message) {
        note(&mut String::new(), &members, &mut Found { fields, left: DISCOVERED_FIELDS_MAX });
    }
}

/// Counts the members of a document by the names that queries have for them: of those that queries discover, too, as many.
fn note(path: &mut String, members: &serde_json::Map<String, serde_json::Value>, found: &mut Found<'_>) {
    for (name, value) in members {
        let length = path.len();
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        match value {
            serde_json::Value::Object(members) => note(path, members, found),
            _ => found.note(path),
        }
        path.truncate(length);
    }
}

/// The fields of one event among those of all.
struct Found<'a> {
    fields: &'a mut BTreeMap<String, u64>,
    left: usize,
}

impl Found<'_> {
    fn note(&mut self, path: &str) {
        if self.left == 0 || path.len() > PATH_BYTES_MAX {
            return;
        }
        self.left -= 1;
        if let Some(count) = self.fields.get_mut(path) {
            *count += 1;
        } else if self.fields.len() < COUNTED_FIELDS_MAX {
            self.fields.insert(path.to_owned(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(message: &str) -> BTreeMap<String, u64> {
        let mut fields = BTreeMap::new();
        count_fields(message, &mut fields);
        fields
    }

    #[test]
    fn fields_are_counted_by_their_paths() {
        let fields = counted(r#"{"a": {"b": 1, "c": [{"d": 2}]}, "e": null}"#);
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["a.b", "a.c", "e"]);
        assert!(counted("text").is_empty() && counted("[1]").is_empty());
    }

    #[test]
    fn a_small_event_does_not_become_a_large_answer() {
        let leaves: Vec<String> = (0..5000).map(|n| format!(r#""{n}":1"#)).collect();
        let long = "x".repeat(500);
        let nested = |depth: usize| {
            format!(r#"{}{{{}}}{}"#, format!(r#"{{"{long}":"#).repeat(depth), leaves.join(","), "}".repeat(depth))
        };
        assert_eq!(counted(&nested(1)).len(), DISCOVERED_FIELDS_MAX);
        assert!(counted(&nested(3)).is_empty());
    }
}
