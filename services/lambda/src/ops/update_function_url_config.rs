//! UpdateFunctionUrlConfig.

use platform::{Access, Ctx};

use crate::api::{FunctionUrlAuthType, InvokeMode, UpdateFunctionUrlConfigRequest, UpdateFunctionUrlConfigResponse};
use crate::function::amend;
use crate::names::Target;
use crate::url::{CorsRules, no_function, none};
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateFunctionUrlConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    let access = Access::to("lambda:UpdateFunctionUrlConfig").on(target.arn());
    match input.auth_type.map(FunctionUrlAuthType::as_str) {
        Some(auth_type) => access.key("lambda:FunctionUrlAuthType", auth_type),
        None => access,
    }
}

/// Changes what holds at an address; what is not said stays.
pub(crate) async fn update_function_url_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateFunctionUrlConfigRequest,
) -> Result<UpdateFunctionUrlConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let cors = input.cors.map(CorsRules::of);
    let amended = amend(lambda, &target, |_, _, attached, _| {
        let url = attached.url.as_mut().ok_or_else(none)?;
        if let Some(auth_type) = input.auth_type {
            url.is_signed = auth_type == FunctionUrlAuthType::AwsIam;
        }
        if let Some(mode) = input.invoke_mode {
            url.streams = mode == InvokeMode::ResponseStream;
        }
        if let Some(cors) = &cors {
            url.cors = Some(cors.clone());
        }
        url.modified = ctx.now;
        Ok(url.clone())
    });
    let (url, _) = amended.await.map_err(no_function)?;
    let told = url.describe(lambda, &target, ctx.is_secure);
    Ok(UpdateFunctionUrlConfigResponse {
        auth_type: told.auth_type,
        cors: told.cors,
        creation_time: told.creation_time,
        function_arn: told.function_arn,
        function_url: told.function_url,
        invoke_mode: told.invoke_mode,
        last_modified_time: told.last_modified_time,
    })
}
