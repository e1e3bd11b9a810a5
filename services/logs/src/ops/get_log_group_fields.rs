//! GetLogGroupFields.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use base::Timestamp;
use platform::{Access, Ctx};
use segments::{Direction, GroupKey, Scan, Segments};

use crate::api::{GetLogGroupFieldsRequest, GetLogGroupFieldsResponse, LogGroupField};
use crate::names::{GroupName, on_either};
use crate::{Error, Logs, group};

/// How long before the time that was asked for, or before the present, is looked.
const BEFORE: Duration = Duration::from_secs(15 * 60);
/// How long after the time that was asked for is looked; before it as long.
const AROUND: Duration = Duration::from_secs(8 * 60);
/// How many events are looked at, the newest of the time.
const EVENTS_MAX: u64 = 1000;
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
        ..Scan::default()
    };
    let mut fields = BTreeMap::new();
    let scanned = segments.scan(key, &scan, &mut |event| {
        if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(event.message) {
            note("", members, &mut fields);
        }
        ControlFlow::Continue(())
    })?;
    Ok((scanned.events, fields))
}

/// Counts the members of a document by the names that queries have for them.
fn note(path: &str, members: serde_json::Map<String, serde_json::Value>, fields: &mut BTreeMap<String, u64>) {
    for (name, value) in members {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        match value {
            serde_json::Value::Object(members) => note(&path, members, fields),
            _ => *fields.entry(path).or_default() += 1,
        }
    }
}
