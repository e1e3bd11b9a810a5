//! PutRetentionPolicy.

use platform::{Access, Ctx};

use crate::api::{LogGroupClass, PutRetentionPolicyRequest};
use crate::group::{self, RETENTION_DAYS};
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, input: &PutRetentionPolicyRequest) -> Access {
    on_own_group(ctx, "logs:PutRetentionPolicy", &input.log_group_name)
}

/// Sets after how many days a group's events expire.
pub(crate) async fn put_retention_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: PutRetentionPolicyRequest,
) -> Result<(), Error> {
    let days = input.retention_in_days;
    if !RETENTION_DAYS.contains(&days) {
        let allowed: Vec<_> = RETENTION_DAYS.iter().map(ToString::to_string).collect();
        return Err(Error::RetentionDays(days, allowed.join(", ")));
    }
    set(logs, &GroupName::own(ctx, &input.log_group_name), Some(days)).await
}

/// Sets a retention, or none.
pub(crate) async fn set(logs: &Logs, name: &GroupName, days: Option<i32>) -> Result<(), Error> {
    group::update(&logs.platform.store, name, |group| {
        if group.class == LogGroupClass::Delivery {
            return Err(Error::DeliveryRetention);
        }
        group.retention_days = days;
        Ok(())
    })
    .await?;
    logs.retention_changed.notify_one();
    Ok(())
}
