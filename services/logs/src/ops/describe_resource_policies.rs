//! DescribeResourcePolicies.

use platform::{Access, Ctx};

use crate::api::{DescribeResourcePoliciesRequest, DescribeResourcePoliciesResponse, PolicyScope};
use crate::names::{GroupName, on_no_group};
use crate::page::{self, PAGE_MAX};
use crate::resource_policy::{self, ResourcePolicy};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, _: &DescribeResourcePoliciesRequest) -> Access {
    on_no_group(ctx, "logs:DescribeResourcePolicies")
}

/// Describes the resource policies of the account by name, or that of a log group.
pub(crate) async fn describe_resource_policies(
    logs: &Logs,
    ctx: &Ctx,
    input: DescribeResourcePoliciesRequest,
) -> Result<DescribeResourcePoliciesResponse, Error> {
    const LIST: &str = "DescribeResourcePolicies";
    let after = page::open(&logs.platform, ctx, LIST, input.next_token.as_deref())?;
    let (store, scope) = (&logs.platform.store, ctx.scope());
    let found = match (&input.resource_arn, input.policy_scope) {
        (Some(arn), _) => {
            let own = GroupName::of_arn(arn).filter(|it| it.region == ctx.region && it.account == ctx.account());
            let group = group::find(store, &own.ok_or(Error::PolicyResource)?).await?;
            resource_policy::of_group(store, &scope, &group.storage_id).await?.into_iter().collect()
        }
        (None, Some(PolicyScope::Resource)) => return Err(Error::Missing("resourceArn")),
        (None, _) => resource_policy::of_account(store, &scope).await?,
    };
    let mut policies: Vec<ResourcePolicy> = found.into_iter().map(|policy| policy.value).collect();
    policies.retain(|policy| after.as_ref().is_none_or(|after| policy.name.as_ref() > Some(after)));
    let limit = page::size(input.limit, PAGE_MAX);
    let more = policies.len() > limit;
    policies.truncate(limit);
    let last = policies.last().filter(|_| more).and_then(|policy| policy.name.clone());
    Ok(DescribeResourcePoliciesResponse {
        resource_policies: Some(policies.into_iter().map(ResourcePolicy::describe).collect()),
        next_token: page::next(&logs.platform, ctx, LIST, last.as_deref()),
    })
}
