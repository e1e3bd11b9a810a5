//! CreateLogStream.

use platform::{Access, Ctx};

use crate::api::CreateLogStreamRequest;
use crate::names::{GroupName, on_stream};
use crate::{Error, Logs, stream};

pub(crate) fn access(ctx: &Ctx, input: &CreateLogStreamRequest) -> Access {
    let group = GroupName::own(ctx, &input.log_group_name);
    on_stream(ctx, "logs:CreateLogStream", Ok(group), &input.log_stream_name)
}

/// Creates a log stream.
pub(crate) async fn create_log_stream(logs: &Logs, ctx: &Ctx, input: CreateLogStreamRequest) -> Result<(), Error> {
    let group = GroupName::own(ctx, &input.log_group_name);
    stream::create(&logs.platform.store, &group, &input.log_stream_name, ctx.now).await
}
