//! UntagResource.

use platform::{Access, Ctx};

use crate::api::{UntagResourceInput, UntagResourceOutput};
use crate::ops::tag_resource::change;
use crate::{CloudWatch, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &UntagResourceInput) -> Access {
    let keys = input.tag_keys.iter().map(String::as_str);
    Access::to("cloudwatch:UntagResource").on(&input.resource_arn).tag_keys(keys)
}

/// Removes tags from an alarm. Keys that are not there are passed over.
pub(crate) async fn untag_resource(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: UntagResourceInput,
) -> Result<UntagResourceOutput, Error> {
    change(cloudwatch, ctx, &input.resource_arn, |alarm| {
        alarm.tags.retain(|key, _| !input.tag_keys.contains(key));
        Ok(())
    })
    .await?;
    Ok(UntagResourceOutput {})
}
