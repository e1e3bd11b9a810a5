//! DisableAlarmActions.

use platform::{Access, Ctx};

use crate::api::DisableAlarmActionsInput;
use crate::ops::enable_alarm_actions::set;
use crate::{CloudWatch, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DisableAlarmActionsInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:DisableAlarmActions", &input.alarm_names)
}

/// Keeps alarms from doing anything when their state changes.
pub(crate) async fn disable_alarm_actions(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: DisableAlarmActionsInput,
) -> Result<(), Error> {
    set(cloudwatch, ctx, &input.alarm_names, false).await
}
