//! EnableAlarmActions.

use platform::{Access, Ctx};
use store::StoreError;

use crate::alarm::Alarm;
use crate::api::EnableAlarmActionsInput;
use crate::{CloudWatch, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &EnableAlarmActionsInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:EnableAlarmActions", &input.alarm_names)
}

/// Lets alarms do something again when their state changes.
pub(crate) async fn enable_alarm_actions(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: EnableAlarmActionsInput,
) -> Result<(), Error> {
    set(cloudwatch, ctx, &input.alarm_names, true).await
}

/// Sets whether alarms do something; those that are not there are passed over.
pub(crate) async fn set(cloudwatch: &CloudWatch, ctx: &Ctx, names: &[String], enabled: bool) -> Result<(), Error> {
    for name in names {
        let change = |alarm: &mut Alarm| {
            alarm.actions_enabled = enabled;
            Ok::<(), StoreError>(())
        };
        match cloudwatch.platform.store.update(&ctx.scope(), &[name], change).await {
            Ok(_) | Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
