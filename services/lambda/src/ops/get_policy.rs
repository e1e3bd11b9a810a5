//! GetPolicy.

use platform::{Access, Ctx};

use crate::api::{GetPolicyRequest, GetPolicyResponse};
use crate::function::resolve;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetPolicyRequest) -> Access {
    Access::to("lambda:GetPolicy").on(Target::read(ctx, &input.function_name, input.qualifier.as_deref()).arn())
}

/// Tells who else may do what with a function, a version or an alias.
pub(crate) async fn get_policy(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetPolicyRequest,
) -> Result<GetPolicyResponse, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = resolve(lambda, &target).await?;
    let policy = &found.attached().policy;
    if policy.is_empty() {
        return Err(Error::NotFound("The resource you requested does not exist.".to_owned()));
    }
    Ok(GetPolicyResponse { policy: Some(policy.document()), revision_id: Some(found.revision().to_owned()) })
}
