//! FilterLogEvents.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use base::Timestamp;
use platform::{Access, Ctx};
use segments::{Cursor, Direction, EventRef, GroupKey, PAGE_BYTES_MAX, PAGE_EVENTS_MAX, Scan, Segments};

use crate::api::{FilterLogEventsRequest, FilterLogEventsResponse, FilteredLogEvent};
use crate::names::{GroupName, on_either};
use crate::pattern::Pattern;
use crate::{Error, Logs, group, page, reading, stream};

/// How many events one request looks at before it answers what it has found and where to go on.
const SCANNED_EVENTS_MAX: u64 = 1_000_000;
/// How many bytes of messages one request looks at.
const SCANNED_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// How long one request looks: a pattern with regular expressions can take seconds for one event.
const SEARCH_MAX: Duration = Duration::from_secs(10);

pub(crate) fn access(ctx: &Ctx, input: &FilterLogEventsRequest) -> Access {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    on_either(ctx, "logs:FilterLogEvents", name, identifier)
}

/// Answers events of a group that a pattern takes, all streams interleaved by time.
pub(crate) async fn filter_log_events(
    logs: &Logs,
    ctx: &Ctx,
    input: FilterLogEventsRequest,
) -> Result<FilterLogEventsResponse, Error> {
    let name = GroupName::either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefix.is_some() {
        return Err(Error::Exclusive("logStreamNames", "logStreamNamePrefix"));
    }
    if let (Some(start), Some(end)) = (input.start_time, input.end_time)
        && start > end
    {
        return Err(Error::TimeRange);
    }
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let store = &logs.platform.store;
    let group = group::find(store, &name).await?;
    group::check_readable(&group)?;
    for stream in input.log_stream_names.iter().flatten() {
        stream::find(store, &name.scope(), &group.storage_id, stream).await?;
    }
    let list = format!("FilterLogEvents/{}", group.storage_id);
    let from = page::open(&logs.platform, ctx, &list, input.next_token.as_deref())?;
    let limit = page::size(input.limit, PAGE_EVENTS_MAX);
    let scan = scan(input, from.map(|number| reading::cursor(&number)).transpose()?);
    let key = name.key(&group.storage_id)?;
    let found = logs.blocking(move |segments| search(segments, &key, &scan, (&pattern, limit, SEARCH_MAX))).await?;
    let next = found.next.map(reading::number);
    Ok(FilterLogEventsResponse {
        events: Some(found.events),
        next_token: page::next(&logs.platform, ctx, &list, next.as_deref()),
        // Empty since AWS gave it up in 2019.
        searched_log_streams: Some(Vec::new()),
    })
}

fn scan(input: FilterLogEventsRequest, from: Option<Cursor>) -> Scan {
    Scan {
        streams: input.log_stream_names.map(BTreeSet::from_iter),
        stream_prefix: input.log_stream_name_prefix,
        start: input.start_time.map(Timestamp::from_millis),
        // Unlike GetLogEvents' end, this one is still within.
        end: input.end_time.map(|end| Timestamp::from_millis(end.saturating_add(1))),
        from,
        direction: if input.start_from_head == Some(false) { Direction::Backward } else { Direction::Forward },
        limit_events: SCANNED_EVENTS_MAX,
        limit_bytes: SCANNED_BYTES_MAX,
    }
}

struct Found {
    events: Vec<FilteredLogEvent>,
    next: Option<Cursor>,
}

fn search(
    segments: &Segments,
    key: &GroupKey,
    scan: &Scan,
    (pattern, limit, time_max): (&Pattern, usize, Duration),
) -> Result<Found, segments::Error> {
    let begun = Instant::now();
    let mut events = Vec::new();
    let mut bytes = 0;
    // Where the page is full, before an event that it has no room for.
    let mut full = None;
    let scanned = segments.scan(key, scan, &mut |event| {
        let is_late = begun.elapsed() >= time_max;
        if !pattern.matches(event.message) {
            return if is_late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        }
        bytes += event.message.len();
        if events.len() == limit || (bytes > PAGE_BYTES_MAX && !events.is_empty()) {
            full = Some(match scan.direction {
                Direction::Forward => Cursor::before(event.id),
                Direction::Backward => Cursor::after(event.id),
            });
            return ControlFlow::Break(());
        }
        events.push(answer(event));
        if is_late { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(Found { events, next: full.or(scanned.next) })
}

fn answer(event: EventRef<'_>) -> FilteredLogEvent {
    FilteredLogEvent {
        log_stream_name: Some(event.stream.to_string()),
        timestamp: Some(event.timestamp.as_millis()),
        message: Some(event.message.to_owned()),
        ingestion_time: Some(event.ingestion.as_millis()),
        event_id: Some(event.id.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Region};
    use segments::{NewEvent, Options};

    use super::*;

    #[tokio::test]
    async fn a_search_that_takes_too_long_goes_on_where_it_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let segments = Segments::open(directory.path(), Options::default()).unwrap();
        let key = GroupKey::new(AccountId::DEFAULT, &Region::default(), "g").unwrap();
        let event = |n: i64| NewEvent { timestamp: Timestamp::from_secs(n), message: n.to_string() };
        segments.append(&key, "s", Timestamp::from_secs(9), (0..6).map(event).collect()).await.unwrap();
        let pattern = Pattern::parse("?1 ?2 ?5").unwrap();
        for (direction, expected) in [(Direction::Forward, ["1", "2", "5"]), (Direction::Backward, ["5", "2", "1"])] {
            let (mut scan, mut messages, mut pages) = (Scan { direction, ..Scan::default() }, Vec::new(), 0);
            loop {
                let found = search(&segments, &key, &scan, (&pattern, 10, Duration::ZERO)).unwrap();
                messages.extend(found.events.into_iter().filter_map(|event| event.message));
                pages += 1;
                scan.from = found.next;
                if scan.from.is_none() {
                    break;
                }
            }
            assert_eq!((messages.as_slice(), pages), (expected.map(str::to_owned).as_slice(), 7));
        }
    }
}
