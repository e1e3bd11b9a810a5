//! DescribeSubscriptionFilters.

use platform::{Access, Ctx};

use crate::api::{DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse};
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, group, page};

pub(crate) fn access(ctx: &Ctx, input: &DescribeSubscriptionFiltersRequest) -> Access {
    on_own_group(ctx, "logs:DescribeSubscriptionFilters", &input.log_group_name)
}

/// Describes the subscription filters of a group, which has none: PutSubscriptionFilter lets none come about.
pub(crate) async fn describe_subscription_filters(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, Error> {
    page::open(&logs.platform, ctx, "DescribeSubscriptionFilters", input.next_token.as_deref())?;
    group::find(&logs.platform.store, &GroupName::own(ctx, &input.log_group_name)).await?;
    Ok(DescribeSubscriptionFiltersResponse { subscription_filters: Some(Vec::new()), next_token: None })
}
