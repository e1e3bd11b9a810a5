//! What a decision may depend on beside the request: the tags of alarms.

use platform::{Asked, Ctx, Facts};

use crate::{CloudWatch, Error};

/// The tags of an alarm, by its ARN. What is not there, or another account's, has none.
pub(crate) async fn facts(cloudwatch: &CloudWatch, ctx: &Ctx, _: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Some(name) = crate::names::alarm_of(ctx, resource) else { return Ok(Facts::default()) };
    let found = crate::alarm::find(&cloudwatch.platform.store, &ctx.scope(), name).await?;
    let tags = found.map(|alarm| alarm.value.tags.into_iter().collect()).unwrap_or_default();
    Ok(Facts { tags, ..Facts::default() })
}
