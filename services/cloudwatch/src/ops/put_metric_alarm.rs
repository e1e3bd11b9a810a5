//! PutMetricAlarm.

use platform::{Access, Ctx};

use crate::alarm::Configuration;
use crate::alarm::admission::{admit_metric, admit_tags};
use crate::api::PutMetricAlarmInput;
use crate::ops::put_composite_alarm::put;
use crate::{CloudWatch, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutMetricAlarmInput) -> Access {
    let actions = [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions];
    access::to_put_alarm(ctx, "cloudwatch:PutMetricAlarm", &input.alarm_name, actions, input.tags.as_deref())
}

/// Makes an alarm, or gives the one of that name another configuration; its state stays until it is evaluated.
pub(crate) async fn put_metric_alarm(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    mut input: PutMetricAlarmInput,
) -> Result<(), Error> {
    admit_metric(&input, ctx.account())?;
    let tags = admit_tags(input.tags.take().as_deref())?;
    let (name, actions_enabled) = (input.alarm_name.clone(), input.actions_enabled.unwrap_or(true));
    put(cloudwatch, ctx, &name, (Configuration::Metric(input), actions_enabled, tags)).await
}
