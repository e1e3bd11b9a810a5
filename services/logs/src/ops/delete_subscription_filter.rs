//! DeleteSubscriptionFilter.

use platform::{Access, Ctx};

use crate::api::DeleteSubscriptionFilterRequest;
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &DeleteSubscriptionFilterRequest) -> Access {
    on_own_group(ctx, "logs:DeleteSubscriptionFilter", &input.log_group_name)
}

/// Finds none: PutSubscriptionFilter lets none come about.
pub(crate) async fn delete_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteSubscriptionFilterRequest,
) -> Result<(), Error> {
    group::find(&logs.platform.store, &GroupName::own(ctx, &input.log_group_name)).await?;
    Err(Error::SubscriptionFilterNotFound)
}
