//! GetFunctionCodeSigningConfig.

use platform::{Access, Ctx};

use crate::api::{GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse};
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionCodeSigningConfigRequest) -> Access {
    Access::to("lambda:GetFunctionCodeSigningConfig").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Tells by what a function's code must be signed: by nothing, as there are no code signing configurations here.
pub(crate) async fn get_function_code_signing_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    find(lambda, &name).await?;
    Ok(GetFunctionCodeSigningConfigResponse { code_signing_config_arn: String::new(), function_name: name.name })
}
