//! GetLogEvents.

use base::Timestamp;
use platform::{Access, Ctx};
use segments::{Cursor, Direction, EventId, PAGE_EVENTS_MAX, Page, Query};

use crate::api::{GetLogEventsRequest, GetLogEventsResponse, OutputLogEvent};
use crate::names::{GroupName, on_stream};
use crate::{Error, Logs, group, page, reading, stream};

pub(crate) fn access(ctx: &Ctx, input: &GetLogEventsRequest) -> Access {
    let group = GroupName::either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    on_stream(ctx, "logs:GetLogEvents", group, &input.log_stream_name)
}

/// Answers a page of a stream's events, from older to newer. A token at an end of the stream is answered as it came, so
/// that it can be asked with again.
pub(crate) async fn get_log_events(
    logs: &Logs,
    ctx: &Ctx,
    input: GetLogEventsRequest,
) -> Result<GetLogEventsResponse, Error> {
    let name = GroupName::either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let store = &logs.platform.store;
    let group = group::find(store, &name).await?;
    group::check_readable(&group)?;
    stream::find(store, &name.scope(), &group.storage_id, &input.log_stream_name).await?;
    let (direction, from) = place(&input)?;
    let query = Query {
        start: input.start_time.map(Timestamp::from_millis),
        end: input.end_time.map(Timestamp::from_millis),
        from,
        direction,
        limit_events: page::size(input.limit, PAGE_EVENTS_MAX),
        ..Query::default()
    };
    let key = name.key(&group.storage_id)?;
    let page = logs.blocking(move |segments| segments.read(&key, &input.log_stream_name, query)).await?;
    Ok(answer(page, query))
}

/// Where to go from where.
fn place(input: &GetLogEventsRequest) -> Result<(Direction, Option<Cursor>), Error> {
    let Some(token) = input.next_token.as_deref() else {
        let is_from_head = input.start_from_head == Some(true);
        return Ok((if is_from_head { Direction::Forward } else { Direction::Backward }, None));
    };
    let number = token.strip_suffix("/s").ok_or(Error::NextToken)?;
    let (direction, number) = match number.split_at_checked(2) {
        Some(("f/", number)) => (Direction::Forward, number),
        Some(("b/", number)) => (Direction::Backward, number),
        _ => return Err(Error::NextToken),
    };
    Ok((direction, Some(reading::cursor(number)?)))
}

fn answer(page: Page, query: Query) -> GetLogEventsResponse {
    let (forward, backward) = match (query.from, query.direction) {
        // Nothing yet: whatever comes is ahead.
        (None, _) if page.events.is_empty() => {
            let start = Cursor::before(EventId::from_u128(0));
            (start, start)
        }
        (_, Direction::Forward) => (page.next, page.previous),
        (_, Direction::Backward) => (page.previous, page.next),
    };
    let events = page.events.into_iter().map(|event| OutputLogEvent {
        timestamp: Some(event.timestamp.as_millis()),
        ingestion_time: Some(event.ingestion.as_millis()),
        message: Some(event.message),
    });
    GetLogEventsResponse {
        events: Some(events.collect()),
        next_forward_token: Some(format!("f/{}/s", reading::number(forward))),
        next_backward_token: Some(format!("b/{}/s", reading::number(backward))),
    }
}
