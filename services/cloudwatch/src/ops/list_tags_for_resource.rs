//! ListTagsForResource.

use platform::{Access, Ctx};

use crate::api::{ListTagsForResourceInput, ListTagsForResourceOutput, Tag};
use crate::names::alarm_of;
use crate::ops::tag_resource::missing;
use crate::{CloudWatch, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &ListTagsForResourceInput) -> Access {
    Access::to("cloudwatch:ListTagsForResource").on(&input.resource_arn)
}

/// Lists the tags of an alarm.
pub(crate) async fn list_tags_for_resource(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, Error> {
    let name = alarm_of(ctx, &input.resource_arn).ok_or_else(|| missing(&input.resource_arn))?;
    let found = crate::alarm::find(&cloudwatch.platform.store, &ctx.scope(), name).await?;
    let alarm = found.ok_or_else(|| missing(&input.resource_arn))?;
    let tags = alarm.value.tags.into_iter().map(|(key, value)| Tag { key, value }).collect();
    Ok(ListTagsForResourceOutput { tags: Some(tags) })
}
