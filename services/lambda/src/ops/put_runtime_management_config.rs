//! PutRuntimeManagementConfig.

use platform::{Access, Ctx};

use crate::api::{PutRuntimeManagementConfigRequest, PutRuntimeManagementConfigResponse, UpdateRuntimeOn};
use crate::function::{RuntimeRenewal, amend};
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutRuntimeManagementConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:PutRuntimeManagementConfig").on(target.arn())
}

/// Says when a version's runtime is renewed. That it stays as it is (`Manual`) is not served: no machine here has two versions
/// of one runtime.
pub(crate) async fn put_runtime_management_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutRuntimeManagementConfigRequest,
) -> Result<PutRuntimeManagementConfigResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let renewal = match (input.update_runtime_on, &input.runtime_version_arn) {
        (UpdateRuntimeOn::Manual, _) => {
            return Err(Error::NotServed("Pilvi does not serve versions of runtimes (Manual) yet.".to_owned()));
        }
        (_, Some(_)) => {
            return Err(Error::Parameter(
                "RuntimeVersionArn can only be given when UpdateRuntimeOn is Manual.".to_owned(),
            ));
        }
        (UpdateRuntimeOn::FunctionUpdate, None) => Some(RuntimeRenewal::FunctionUpdate),
        (UpdateRuntimeOn::Auto, None) => None,
    };
    amend(lambda, &target, |_, _, attached, _| {
        attached.renews_runtime.clone_from(&renewal);
        Ok(())
    })
    .await?;
    Ok(PutRuntimeManagementConfigResponse {
        function_arn: target.arn(),
        runtime_version_arn: None,
        update_runtime_on: input.update_runtime_on,
    })
}
