//! TagResource.

use platform::{Access, Ctx};
use store::StoreError;

use crate::alarm::Alarm;
use crate::alarm::admission::{admit_tags, check_tag_count};
use crate::api::{TagResourceInput, TagResourceOutput};
use crate::names::alarm_of;
use crate::{CloudWatch, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &TagResourceInput) -> Access {
    let tags = input.tags.iter().map(|tag| (&tag.key[..], &tag.value[..]));
    Access::to("cloudwatch:TagResource").on(&input.resource_arn).request_tags(tags)
}

/// Adds tags to an alarm; those that it has get new values.
pub(crate) async fn tag_resource(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: TagResourceInput,
) -> Result<TagResourceOutput, Error> {
    let added = admit_tags(Some(&input.tags))?;
    change(cloudwatch, ctx, &input.resource_arn, |alarm| {
        alarm.tags.extend(added.clone());
        check_tag_count(&alarm.tags)
    })
    .await?;
    Ok(TagResourceOutput {})
}

/// Changes an alarm that is named by its ARN.
pub(crate) async fn change(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    arn: &str,
    modify: impl FnMut(&mut Alarm) -> Result<(), Error>,
) -> Result<(), Error> {
    let name = alarm_of(ctx, arn).ok_or_else(|| missing(arn))?;
    match cloudwatch.platform.store.update(&ctx.scope(), &[name], modify).await {
        Ok(_) => Ok(()),
        Err(Error::Store(StoreError::NotFound { .. })) => Err(missing(arn)),
        Err(error) => Err(error),
    }
}

/// That there is no such resource.
pub(crate) fn missing(arn: &str) -> Error {
    Error::ResourceNotFound(format!("The resource {arn} does not exist."))
}
