//! TagLogGroup, which TagResource has replaced.

use platform::{Access, Ctx};

use crate::api::TagLogGroupRequest;
use crate::names::{GroupName, on_own_group};
use crate::ops::tag_resource::tag;
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, input: &TagLogGroupRequest) -> Access {
    let tags = input.tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    on_own_group(ctx, "logs:TagLogGroup", &input.log_group_name).request_tags(tags)
}

/// Adds tags to a log group.
pub(crate) async fn tag_log_group(logs: &Logs, ctx: &Ctx, input: TagLogGroupRequest) -> Result<(), Error> {
    tag(logs, &GroupName::own(ctx, &input.log_group_name), input.tags).await
}
