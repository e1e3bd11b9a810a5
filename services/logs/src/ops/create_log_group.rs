//! CreateLogGroup.

use platform::{Access, Ctx};

use crate::api::{CreateLogGroupRequest, LogGroupClass};
use crate::group::{self, LogGroup};
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, Tags};

/// Days that a group of class DELIVERY keeps its events; they cannot be changed.
const DELIVERY_RETENTION_DAYS: i32 = 2;

pub(crate) fn access(ctx: &Ctx, input: &CreateLogGroupRequest) -> Access {
    let create = on_own_group(ctx, "logs:CreateLogGroup", &input.log_group_name);
    let Some(tags) = &input.tags else { return create };
    let tags = || tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let group = GroupName::own(ctx, &input.log_group_name).arn();
    create.request_tags(tags()).and(Access::to("logs:TagResource").on(group).request_tags(tags()))
}

/// Creates a log group.
pub(crate) async fn create_log_group(logs: &Logs, ctx: &Ctx, input: CreateLogGroupRequest) -> Result<(), Error> {
    if input.kms_key_id.is_some() {
        return Err(Error::Kms);
    }
    let class = input.log_group_class.unwrap_or_default();
    if class == LogGroupClass::Essentials {
        return Err(Error::ClassNotServed(class.as_str()));
    }
    let group = LogGroup {
        class,
        retention_days: (class == LogGroupClass::Delivery).then_some(DELIVERY_RETENTION_DAYS),
        deletion_protected: input.deletion_protection_enabled.unwrap_or(false),
        tags: Tags::admit(input.tags)?,
        ..LogGroup::new(&*logs.platform.rng, ctx.now)
    };
    group::create(&logs.platform.store, &GroupName::own(ctx, &input.log_group_name), &group).await
}
