//! DeleteProvisionedConcurrencyConfig.

use platform::{Access, Ctx};

use crate::api::DeleteProvisionedConcurrencyConfigRequest;
use crate::concurrency::{provision, refuse_latest};
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteProvisionedConcurrencyConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, Some(&input.qualifier));
    Access::to("lambda:DeleteProvisionedConcurrencyConfig").on(target.arn())
}

/// Has no environments of a version or alias kept ready any more.
pub(crate) async fn delete_provisioned_concurrency_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteProvisionedConcurrencyConfigRequest,
) -> Result<(), Error> {
    let target = Target::of_request(ctx, &input.function_name, Some(&input.qualifier))?;
    refuse_latest(&target, "The function resource provided must be an alias or a published version.")?;
    provision(lambda, &target, None).await
}
