//! PutLogEvents.

use platform::{Access, Ctx};

use crate::api::{PutLogEventsRequest, PutLogEventsResponse};
use crate::ingest::{admit, check};
use crate::names::{GroupName, on_stream};
use crate::stream::sequence_token;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, input: &PutLogEventsRequest) -> Access {
    let group = GroupName::own(ctx, &input.log_group_name);
    on_stream(ctx, "logs:PutLogEvents", Ok(group), &input.log_stream_name)
}

/// Stores a batch of events. A sequence token is taken and means nothing, as at AWS since 2023.
pub(crate) async fn put_log_events(
    logs: &Logs,
    ctx: &Ctx,
    input: PutLogEventsRequest,
) -> Result<PutLogEventsResponse, Error> {
    check(&input.log_events)?;
    let name = GroupName::own(ctx, &input.log_group_name);
    let open = logs.open(&name, &input.log_stream_name).await?;
    let batch = admit(input.log_events, ctx.now, open.group.retention_days);
    logs.write(open, ctx.now, batch.events).await?;
    Ok(PutLogEventsResponse {
        next_sequence_token: Some(sequence_token(&name, &input.log_stream_name)),
        rejected_log_events_info: batch.rejected,
        rejected_entity_info: None,
    })
}
