//! ListTagsForResource.

use platform::{Access, Ctx};

use crate::api::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use crate::ops::tag_resource::{on_tagged, tagged};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &ListTagsForResourceRequest) -> Access {
    on_tagged(ctx, "logs:ListTagsForResource", &input.resource_arn)
}

/// Lists the tags of a log group.
pub(crate) async fn list_tags_for_resource(
    logs: &Logs,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let found = group::find(&logs.platform.store, &tagged(ctx, &input.resource_arn)?).await?;
    Ok(ListTagsForResourceResponse { tags: Some(found.value.tags.into_map()) })
}
