//! DescribeMetricFilters.

use platform::{Access, Ctx};
use store::ListOptions;

use crate::api::{DescribeMetricFiltersRequest, DescribeMetricFiltersResponse};
use crate::children::{self, Window};
use crate::metric_filter::{FILTERS_MAX, MetricFilter};
use crate::names::{GroupName, on_no_group, on_own_group};
use crate::page::{self, PAGE_MAX};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &DescribeMetricFiltersRequest) -> Access {
    const ACTION: &str = "logs:DescribeMetricFilters";
    match &input.log_group_name {
        Some(name) => on_own_group(ctx, ACTION, name),
        None => on_no_group(ctx, ACTION),
    }
}

/// Describes the metric filters of a group, or of all groups, by name.
pub(crate) async fn describe_metric_filters(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeMetricFiltersRequest,
) -> Result<DescribeMetricFiltersResponse, Error> {
    const LIST: &str = "DescribeMetricFilters";
    if input.metric_name.is_some() != input.metric_namespace.is_some() {
        return Err(Error::MetricNameAlone);
    }
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let mut filters = match &input.log_group_name {
        Some(group) => {
            let prefix = input.filter_name_prefix.as_deref().unwrap_or_default();
            of_group(logs, &GroupName::own(ctx, group), prefix).await?
        }
        None => of_all_groups(logs, ctx).await?,
    };
    filters.retain(|filter| {
        let makes = &filter.transformation;
        input.metric_name.as_ref().is_none_or(|name| *name == makes.metric_name)
            && input.metric_namespace.as_ref().is_none_or(|namespace| *namespace == makes.metric_namespace)
    });
    filters.sort_by_cached_key(place);
    if let Some(after) = after {
        filters.retain(|filter| place(filter) > after);
    }
    let limit = page::size(input.limit, PAGE_MAX);
    let more = filters.len() > limit;
    filters.truncate(limit);
    let last = filters.last().filter(|_| more).map(place);
    Ok(DescribeMetricFiltersResponse {
        metric_filters: Some(filters.into_iter().map(MetricFilter::describe).collect()),
        next_token: page::next(&logs.platform, ctx, LIST, last.as_deref()),
    })
}

/// Where a filter stands: by its name, then by its group's. What parts them sorts before all else.
fn place(filter: &MetricFilter) -> String {
    format!("{}\0{}", filter.name, filter.group)
}

async fn of_group(logs: &Logs, name: &GroupName, prefix: &str) -> Result<Vec<MetricFilter>, Error> {
    let store = &logs.platform.store;
    let group = group::find(store, name).await?;
    let window = Window { prefix, limit: FILTERS_MAX, ..Window::default() };
    Ok(children::list(store, &name.scope(), &group.storage_id, window).await?.items)
}

/// Of all groups, but for those that have been deleted and whose filters are still to go.
async fn of_all_groups(logs: &Logs, ctx: &Ctx) -> Result<Vec<MetricFilter>, Error> {
    let store = &logs.platform.store;
    let mut filters = Vec::new();
    let mut after = None;
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = store.list::<MetricFilter>(&ctx.scope(), options).await?;
        for found in page.items {
            let group = group::find(store, &GroupName::own(ctx, &found.group)).await;
            if group.is_ok_and(|group| found.id.first() == Some(&group.storage_id)) {
                filters.push(found.value);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(filters);
        }
    }
}
