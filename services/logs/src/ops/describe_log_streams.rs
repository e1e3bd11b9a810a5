//! DescribeLogStreams.

use platform::{Access, Ctx};
use segments::StreamStats;

use crate::api::{DescribeLogStreamsRequest, DescribeLogStreamsResponse, OrderBy};
use crate::children::{self, Window};
use crate::names::{GroupName, on_either};
use crate::page::{self, PAGE_MAX};
use crate::stream::LogStream;
use crate::{Error, Logs, group};

/// How many streams of a group can be put into the order of their last events.
const SORTED_MAX: usize = 100_000;
const LIST: &str = "DescribeLogStreams";

pub(crate) fn access(ctx: &Ctx, input: &DescribeLogStreamsRequest) -> Access {
    let (name, identifier) = (input.log_group_name.as_deref(), input.log_group_identifier.as_deref());
    on_either(ctx, "logs:DescribeLogStreams", name, identifier)
}

/// Describes the streams of a group, by name or by the time of their last event.
pub(crate) async fn describe_log_streams(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeLogStreamsRequest,
) -> Result<DescribeLogStreamsResponse, Error> {
    let name = GroupName::either(ctx, input.log_group_name.as_deref(), input.log_group_identifier.as_deref())?;
    let is_by_time = input.order_by == Some(OrderBy::LastEventTime);
    if is_by_time && input.log_stream_name_prefix.is_some() {
        return Err(Error::OrderWithPrefix);
    }
    let group = group::find(&logs.platform.store, &name).await?;
    let asked =
        Asked { list: format!("{LIST}/{}/{is_by_time}", group.storage_id), group_id: &group.storage_id, input: &input };
    let (found, next) =
        if is_by_time { by_time(logs, ctx, &name, &asked).await? } else { by_name(logs, ctx, &name, &asked).await? };
    let log_streams = found.iter().map(|(stream, stats)| stream.describe(&name, stats.as_ref())).collect();
    let next_token = page::next(&logs.platform, ctx, &asked.list, next.as_deref());
    Ok(DescribeLogStreamsResponse { log_streams: Some(log_streams), next_token })
}

struct Asked<'a> {
    /// What tokens are good for: this group in this order.
    list: String,
    group_id: &'a str,
    input: &'a DescribeLogStreamsRequest,
}

type Found = Vec<(LogStream, Option<StreamStats>)>;

async fn by_name(
    logs: &Logs,
    ctx: &Ctx,
    name: &GroupName,
    asked: &Asked<'_>,
) -> Result<(Found, Option<String>), Error> {
    let after = page::open(&logs.platform, ctx, &asked.list, asked.input.next_token.as_deref())?;
    let window = Window {
        prefix: asked.input.log_stream_name_prefix.as_deref().unwrap_or_default(),
        after: after.as_deref(),
        limit: page::size(asked.input.limit, PAGE_MAX),
        reverse: asked.input.descending == Some(true),
    };
    let page = children::list::<LogStream>(&logs.platform.store, &name.scope(), asked.group_id, window).await?;
    let next = page.items.last().filter(|_| page.more).map(|last| last.name.clone());
    Ok((with_stats(logs, name, asked.group_id, page.items).await?, next))
}

/// Only the segments know the times, so all streams are looked at for each page.
async fn by_time(
    logs: &Logs,
    ctx: &Ctx,
    name: &GroupName,
    asked: &Asked<'_>,
) -> Result<(Found, Option<String>), Error> {
    let token = page::open(&logs.platform, ctx, &asked.list, asked.input.next_token.as_deref())?;
    let after = token.as_deref().and_then(place_of);
    let window = Window { limit: SORTED_MAX, ..Window::default() };
    let streams = children::list(&logs.platform.store, &name.scope(), asked.group_id, window).await?.items;
    let mut found = with_stats(logs, name, asked.group_id, streams).await?;
    let is_descending = asked.input.descending == Some(true);
    found.sort_by(|a, b| if is_descending { place(b).cmp(&place(a)) } else { place(a).cmp(&place(b)) });
    if let Some(after) = after {
        found.retain(|it| if is_descending { place(it) < after } else { place(it) > after });
    }
    let limit = page::size(asked.input.limit, PAGE_MAX);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| {
        let (time, name) = place(last);
        format!("{time}/{name}")
    });
    Ok((found, next))
}

/// A stream's place in the order of last events. One that has none comes before those that have.
fn place((stream, stats): &(LogStream, Option<StreamStats>)) -> (i64, &str) {
    (stats.map_or(i64::MIN, |stats| stats.last_event.as_millis()), &stream.name)
}

fn place_of(text: &str) -> Option<(i64, &str)> {
    let (time, name) = text.split_once('/')?;
    Some((time.parse().ok()?, name))
}

async fn with_stats(logs: &Logs, group: &GroupName, group_id: &str, streams: Vec<LogStream>) -> Result<Found, Error> {
    let key = group.key(group_id)?;
    logs.blocking(move |segments| {
        streams
            .into_iter()
            .map(|stream| segments.stream_stats(&key, &stream.name).map(|stats| (stream, stats)))
            .collect()
    })
    .await
}
