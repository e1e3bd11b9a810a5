//! DescribeLogGroups.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{self, DescribeLogGroupsRequest, DescribeLogGroupsResponse};
use crate::group::{self, GroupsPage, LogGroup};
use crate::names::{GroupName, on_no_group};
use crate::page::{self, PAGE_MAX};
use crate::{Error, Logs};

pub(crate) fn access(ctx: &Ctx, _: &DescribeLogGroupsRequest) -> Access {
    on_no_group(ctx, "logs:DescribeLogGroups")
}

/// Describes log groups by name.
pub(crate) async fn describe_log_groups(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeLogGroupsRequest,
) -> Result<DescribeLogGroupsResponse, Error> {
    const LIST: &str = "DescribeLogGroups";
    if input.log_group_name_prefix.is_some() && input.log_group_name_pattern.is_some() {
        return Err(Error::PrefixAndPattern);
    }
    if let Some(identifiers) = &input.log_group_identifiers {
        if input.log_group_name_prefix.is_some() || input.log_group_name_pattern.is_some() {
            return Err(Error::Exclusive("logGroupIdentifiers", "logGroupNamePrefix or logGroupNamePattern"));
        }
        let names: Result<Vec<_>, _> = identifiers.iter().map(|text| GroupName::identified(ctx, text)).collect();
        let log_groups = describe(logs, ctx, named(logs, ctx, &input, names?).await?).await?;
        return Ok(DescribeLogGroupsResponse { log_groups: Some(log_groups), next_token: None });
    }
    if !concerns(ctx, input.account_identifiers.as_deref()) {
        return Ok(DescribeLogGroupsResponse { log_groups: Some(Vec::new()), next_token: None });
    }
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let prefix = input.log_group_name_prefix.as_deref().unwrap_or_default();
    let pattern = input.log_group_name_pattern.as_deref().unwrap_or_default();
    let window = (prefix, after, page::size(input.limit, PAGE_MAX));
    let wanted = |name: &str, group: &LogGroup| name.contains(pattern) && is_of_class(&input, group);
    let GroupsPage { groups, next } = group::list(&logs.platform.store, &ctx.scope(), window, wanted).await?;
    let next_token = page::next(&logs.platform, ctx, LIST, next.as_deref());
    Ok(DescribeLogGroupsResponse { log_groups: Some(describe(logs, ctx, groups).await?), next_token })
}

/// Whether a list that is narrowed to accounts has the caller's. No other account's groups are ever listed: nothing links
/// accounts for monitoring.
pub(crate) fn concerns(ctx: &Ctx, accounts: Option<&[String]>) -> bool {
    accounts.is_none_or(|accounts| accounts.is_empty() || accounts.iter().any(|it| it == ctx.account().as_str()))
}

fn is_of_class(input: &DescribeLogGroupsRequest, group: &LogGroup) -> bool {
    input.log_group_class.is_none_or(|class| class == group.class)
}

/// The groups of these names that are the caller's. Those that are not there are passed over.
async fn named(
    logs: &Logs,
    ctx: &Ctx,
    input: &DescribeLogGroupsRequest,
    names: Vec<GroupName>,
) -> Result<Vec<Versioned<LogGroup>>, Error> {
    let mut found = Vec::new();
    for name in names.iter().filter(|name| name.account == ctx.account()) {
        match group::find(&logs.platform.store, name).await {
            Ok(group) if is_of_class(input, &group) => found.push(group),
            Ok(_) | Err(Error::GroupNotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

async fn describe(logs: &Logs, ctx: &Ctx, groups: Vec<Versioned<LogGroup>>) -> Result<Vec<api::LogGroup>, Error> {
    let names: Vec<_> = groups.iter().map(|group| GroupName::own(ctx, &group::name_of(group))).collect();
    let keys =
        names.iter().zip(&groups).map(|(name, group)| name.key(&group.storage_id)).collect::<Result<Vec<_>, _>>()?;
    let sizes: Vec<u64> =
        logs.blocking(move |segments| keys.iter().map(|key| segments.group_bytes(key)).collect()).await?;
    let rows = names.iter().zip(&groups).zip(sizes);
    Ok(rows.map(|((name, group), stored_bytes)| group.describe(name, stored_bytes)).collect())
}
