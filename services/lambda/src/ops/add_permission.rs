//! AddPermission.

use platform::{Access, Ctx};

use crate::api::{AddPermissionRequest, AddPermissionResponse, FunctionUrlAuthType};
use crate::function::{amend, is_latest};
use crate::names::Target;
use crate::permission::of_request;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &AddPermissionRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    let access = Access::to("lambda:AddPermission").on(target.arn()).key("lambda:Principal", input.principal.as_str());
    match input.function_url_auth_type.map(FunctionUrlAuthType::as_str) {
        Some(auth_type) => access.key("lambda:FunctionUrlAuthType", auth_type),
        None => access,
    }
}

/// Lets somebody else do something with a function, a version or an alias.
pub(crate) async fn add_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: AddPermissionRequest,
) -> Result<AddPermissionResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    if target.qualifier.as_deref().is_some_and(is_latest) {
        return Err(Error::Parameter("We currently do not support adding policies for $LATEST.".to_owned()));
    }
    let statement = of_request(&input, &target.arn())?;
    amend(lambda, &target, |_, revision, attached, _| {
        if input.revision_id.as_deref().is_some_and(|expected| expected != revision) {
            return Err(Error::Revision("GetFunction/GetAlias"));
        }
        attached.policy.add(statement.clone())
    })
    .await?;
    Ok(AddPermissionResponse { statement: Some(statement.to_string()) })
}
