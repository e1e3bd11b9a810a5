//! StartLiveTail.

use base::ids;
use platform::{Access, Ctx};
use wire::EventStream;

use crate::api::{LiveTailSessionStart, LogGroupClass, StartLiveTailRequest, StartLiveTailResponseStream};
use crate::names::{GroupName, on_group, on_no_group};
use crate::pattern::Pattern;
use crate::tail::{Wanted, Watched, tell};
use crate::{Error, Logs, group};

const ACTION: &str = "logs:StartLiveTail";

pub(crate) fn access(ctx: &Ctx, input: &StartLiveTailRequest) -> Access {
    let groups = groups(ctx, input).unwrap_or_default();
    let each = groups.iter().map(|group| on_group(ACTION, group));
    each.reduce(Access::and).unwrap_or_else(|| on_no_group(ctx, ACTION))
}

/// Tells of the events that come into groups from now on, once a second, for up to three hours.
pub(crate) async fn start_live_tail(
    logs: &Logs,
    ctx: &Ctx,
    input: StartLiveTailRequest,
) -> Result<EventStream<StartLiveTailResponseStream>, Error> {
    let names = groups(ctx, &input)?;
    if input.log_stream_names.is_some() && input.log_stream_name_prefixes.is_some() {
        return Err(Error::TailStreams);
    }
    if names.len() > 1 && (input.log_stream_names.is_some() || input.log_stream_name_prefixes.is_some()) {
        return Err(Error::TailStreamsOfGroups);
    }
    let pattern = Pattern::parse(input.log_event_filter_pattern.as_deref().unwrap_or_default())?;
    let session = logs.sessions.open(ctx.scope())?;
    let mut watched = Vec::new();
    for name in &names {
        let group = group::find(&logs.platform.store, name).await?;
        if group.class != LogGroupClass::Standard {
            return Err(Error::ClassUnsupported(group.class.as_str()));
        }
        let subscription = logs.segments.subscribe(&name.key(&group.storage_id)?)?;
        watched.push(Watched { identifier: name.arn(), subscription });
    }
    let start = LiveTailSessionStart {
        request_id: Some(ctx.request_id.clone()),
        session_id: Some(ids::uuid(&*logs.platform.rng)),
        log_group_identifiers: Some(names.iter().map(GroupName::arn).collect()),
        log_stream_names: input.log_stream_names.clone(),
        log_stream_name_prefixes: input.log_stream_name_prefixes.clone(),
        log_event_filter_pattern: input.log_event_filter_pattern,
    };
    let streams = input.log_stream_names.map(|names| names.into_iter().collect());
    let wanted = Wanted { pattern, streams, stream_prefixes: input.log_stream_name_prefixes };
    Ok(EventStream::produce(move |client| tell(client, start, (watched, wanted), session)))
}

/// The groups to watch, each once.
fn groups(ctx: &Ctx, input: &StartLiveTailRequest) -> Result<Vec<GroupName>, Error> {
    let mut groups = Vec::new();
    for text in &input.log_group_identifiers {
        let group = GroupName::identified(ctx, text)?;
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    Ok(groups)
}
