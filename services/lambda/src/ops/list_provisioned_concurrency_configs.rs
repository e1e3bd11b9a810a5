//! ListProvisionedConcurrencyConfigs.

use platform::{Access, Ctx};

use crate::api::{
    ListProvisionedConcurrencyConfigsRequest, ListProvisionedConcurrencyConfigsResponse,
    ProvisionedConcurrencyConfigListItem,
};
use crate::concurrency::told;
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda, page};

/// The longest page; the model says it, too.
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListProvisionedConcurrencyConfigsRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    Access::to("lambda:ListProvisionedConcurrencyConfigs").on(function.arn())
}

/// Lists the versions and aliases of which environments are kept ready.
pub(crate) async fn list_provisioned_concurrency_configs(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListProvisionedConcurrencyConfigsRequest,
) -> Result<ListProvisionedConcurrencyConfigsResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    let function = find(lambda, &name).await?;
    let list = format!("lambda:ListProvisionedConcurrencyConfigs/{}", function.uid);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let all: Vec<_> = function.provisioned.iter().collect();
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |(qualifier, _)| (*qualifier).clone());
    let mut configs = Vec::new();
    for (qualifier, wanted) in page {
        let told = told(lambda, &name, qualifier, wanted).await;
        configs.push(ProvisionedConcurrencyConfigListItem {
            allocated_provisioned_concurrent_executions: Some(told.available),
            available_provisioned_concurrent_executions: Some(told.available),
            function_arn: Some(name.qualified(qualifier)),
            last_modified: Some(told.modified),
            requested_provisioned_concurrent_executions: Some(told.requested),
            status: Some(told.status),
            status_reason: told.reason,
        });
    }
    Ok(ListProvisionedConcurrencyConfigsResponse {
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
        provisioned_concurrency_configs: Some(configs),
    })
}
