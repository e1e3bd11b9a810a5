//! DescribeSubscriptionFilters.

use platform::{Access, Ctx};

use crate::api::{DescribeSubscriptionFiltersRequest, DescribeSubscriptionFiltersResponse};
use crate::names::{GroupName, on_own_group};
use crate::page::{self, PAGE_MAX};
use crate::subscription::{SubscriptionFilter, of_group};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &DescribeSubscriptionFiltersRequest) -> Access {
    on_own_group(ctx, "logs:DescribeSubscriptionFilters", &input.log_group_name)
}

/// Describes the subscription filters of a group, by name.
pub(crate) async fn describe_subscription_filters(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeSubscriptionFiltersRequest,
) -> Result<DescribeSubscriptionFiltersResponse, Error> {
    const LIST: &str = "DescribeSubscriptionFilters";
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let name = GroupName::own(ctx, &input.log_group_name);
    let group = group::find(&logs.platform.store, &name).await?;
    let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
    let mut filters = of_group(logs, &name, &group, prefix).await?;
    if let Some(after) = after {
        filters.retain(|filter| filter.name > after);
    }
    let limit = page::size(input.limit, PAGE_MAX);
    let more = filters.len() > limit;
    filters.truncate(limit);
    let last = filters.last().filter(|_| more).map(|filter| filter.name.clone());
    Ok(DescribeSubscriptionFiltersResponse {
        subscription_filters: Some(filters.into_iter().map(SubscriptionFilter::describe).collect()),
        next_token: page::next(&logs.platform, ctx, LIST, last.as_deref()),
    })
}
