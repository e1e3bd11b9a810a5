//! GetFunctionUrlConfig.

use platform::{Access, Ctx};

use crate::api::{GetFunctionUrlConfigRequest, GetFunctionUrlConfigResponse};
use crate::function::resolve;
use crate::names::Target;
use crate::url::none;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionUrlConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:GetFunctionUrlConfig").on(target.arn())
}

/// Tells a function's address.
pub(crate) async fn get_function_url_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionUrlConfigRequest,
) -> Result<GetFunctionUrlConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = match resolve(lambda, &target).await {
        Err(Error::FunctionNotFound(_)) => return Err(none()),
        found => found?,
    };
    let told = found.attached().url.as_ref().ok_or_else(none)?.describe(lambda, &target, ctx.is_secure);
    Ok(GetFunctionUrlConfigResponse {
        auth_type: told.auth_type,
        cors: told.cors,
        creation_time: told.creation_time,
        function_arn: told.function_arn,
        function_url: told.function_url,
        invoke_mode: told.invoke_mode,
        last_modified_time: told.last_modified_time,
    })
}
