//! GetProvisionedConcurrencyConfig.

use platform::{Access, Ctx};

use crate::api::{GetProvisionedConcurrencyConfigRequest, GetProvisionedConcurrencyConfigResponse};
use crate::concurrency::{at, refuse_latest, told};
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetProvisionedConcurrencyConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, Some(&input.qualifier));
    Access::to("lambda:GetProvisionedConcurrencyConfig").on(target.arn())
}

/// Tells how many environments of a version or alias are kept ready, and how far that has come.
pub(crate) async fn get_provisioned_concurrency_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetProvisionedConcurrencyConfigRequest,
) -> Result<GetProvisionedConcurrencyConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, Some(&input.qualifier))?;
    refuse_latest(&target, "The function resource provided must be an alias or a published version.")?;
    let function = at(lambda, &target).await?;
    let wanted = function.provisioned.get(target.qualifier()).ok_or(Error::NothingProvisioned)?;
    let told = told(lambda, &target.function, target.qualifier(), wanted).await;
    Ok(GetProvisionedConcurrencyConfigResponse {
        allocated_provisioned_concurrent_executions: Some(told.available),
        available_provisioned_concurrent_executions: Some(told.available),
        last_modified: Some(told.modified),
        requested_provisioned_concurrent_executions: Some(told.requested),
        status: Some(told.status),
        status_reason: told.reason,
    })
}
