//! PutProvisionedConcurrencyConfig.

use platform::{Access, Ctx};

use crate::api::{
    ProvisionedConcurrencyStatusEnum, PutProvisionedConcurrencyConfigRequest, PutProvisionedConcurrencyConfigResponse,
};
use crate::concurrency::{provision, refuse_latest};
use crate::names::Target;
use crate::{Error, Lambda, describe};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutProvisionedConcurrencyConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, Some(&input.qualifier));
    Access::to("lambda:PutProvisionedConcurrencyConfig").on(target.arn())
}

/// Has environments of a version or alias kept ready.
pub(crate) async fn put_provisioned_concurrency_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutProvisionedConcurrencyConfigRequest,
) -> Result<PutProvisionedConcurrencyConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, Some(&input.qualifier))?;
    refuse_latest(&target, "Provisioned Concurrency Configs cannot be applied to unpublished function versions.")?;
    let requested = input.provisioned_concurrent_executions;
    // The model lets no number through that is less than one.
    provision(lambda, &target, Some(u32::try_from(requested).unwrap_or(1))).await?;
    Ok(PutProvisionedConcurrencyConfigResponse {
        allocated_provisioned_concurrent_executions: Some(0),
        available_provisioned_concurrent_executions: Some(0),
        last_modified: Some(describe::date(ctx.now)),
        requested_provisioned_concurrent_executions: Some(requested),
        status: Some(ProvisionedConcurrencyStatusEnum::InProgress),
        status_reason: None,
    })
}
