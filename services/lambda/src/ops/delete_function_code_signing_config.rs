//! DeleteFunctionCodeSigningConfig.

use platform::{Access, Ctx};

use crate::api::DeleteFunctionCodeSigningConfigRequest;
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteFunctionCodeSigningConfigRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    Access::to("lambda:DeleteFunctionCodeSigningConfig").on(function.arn())
}

/// Has a function's code checked by nothing, as it is already.
pub(crate) async fn delete_function_code_signing_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionCodeSigningConfigRequest,
) -> Result<(), Error> {
    find(lambda, &Target::of_request(ctx, &input.function_name, None)?.function).await.map(drop)
}
