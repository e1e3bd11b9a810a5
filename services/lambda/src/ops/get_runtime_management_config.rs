//! GetRuntimeManagementConfig.

use platform::{Access, Ctx};

use crate::api::{GetRuntimeManagementConfigRequest, GetRuntimeManagementConfigResponse, UpdateRuntimeOn};
use crate::function::{RuntimeRenewal, resolve};
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetRuntimeManagementConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:GetRuntimeManagementConfig").on(target.arn())
}

/// Tells when a version's runtime is renewed.
pub(crate) async fn get_runtime_management_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetRuntimeManagementConfigRequest,
) -> Result<GetRuntimeManagementConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = resolve(lambda, &target).await?;
    let word = match found.attached().renews_runtime {
        None => UpdateRuntimeOn::Auto,
        Some(RuntimeRenewal::FunctionUpdate) => UpdateRuntimeOn::FunctionUpdate,
    };
    Ok(GetRuntimeManagementConfigResponse {
        function_arn: Some(target.arn()),
        runtime_version_arn: None,
        update_runtime_on: Some(word),
    })
}
