//! ListTagsLogGroup, which ListTagsForResource has replaced.

use platform::{Access, Ctx};

use crate::api::{ListTagsLogGroupRequest, ListTagsLogGroupResponse};
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &ListTagsLogGroupRequest) -> Access {
    on_own_group(ctx, "logs:ListTagsLogGroup", &input.log_group_name)
}

/// Lists the tags of a log group.
pub(crate) async fn list_tags_log_group(
    logs: &Logs,
    ctx: &Ctx,
    input: ListTagsLogGroupRequest,
) -> Result<ListTagsLogGroupResponse, Error> {
    let found = group::find(&logs.platform.store, &GroupName::own(ctx, &input.log_group_name)).await?;
    Ok(ListTagsLogGroupResponse { tags: Some(found.value.tags.into_map()) })
}
