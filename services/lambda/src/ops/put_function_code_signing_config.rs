//! PutFunctionCodeSigningConfig.

use platform::{Access, Ctx};

use crate::api::{PutFunctionCodeSigningConfigRequest, PutFunctionCodeSigningConfigResponse};
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutFunctionCodeSigningConfigRequest) -> Access {
    Access::to("lambda:PutFunctionCodeSigningConfig")
        .on(Target::read(ctx, &input.function_name, None).function.arn())
        .key("lambda:CodeSigningConfigArn", input.code_signing_config_arn.as_str())
}

/// Refuses to have a function's code checked: there are no code signing configurations here, so none is ever found.
pub(crate) async fn put_function_code_signing_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionCodeSigningConfigRequest,
) -> Result<PutFunctionCodeSigningConfigResponse, Error> {
    find(lambda, &Target::of_request(ctx, &input.function_name, None)?.function).await?;
    Err(Error::CodeSigningConfigNotFound(input.code_signing_config_arn))
}
