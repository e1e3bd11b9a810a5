//! UntagLogGroup, which UntagResource has replaced.

use platform::{Access, Ctx};

use crate::api::UntagLogGroupRequest;
use crate::names::{GroupName, on_own_group};
use crate::ops::untag_resource::untag;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, input: &UntagLogGroupRequest) -> Access {
    on_own_group(ctx, "logs:UntagLogGroup", &input.log_group_name).tag_keys(input.tags.iter().map(String::as_str))
}

/// Removes tags from a log group.
pub(crate) async fn untag_log_group(logs: &Logs, ctx: &Ctx, input: UntagLogGroupRequest) -> Result<(), Error> {
    untag(logs, &GroupName::own(ctx, &input.log_group_name), &input.tags).await
}
