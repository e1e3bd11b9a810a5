//! GetFunctionRecursionConfig.

use platform::{Access, Ctx};

use crate::api::{GetFunctionRecursionConfigRequest, GetFunctionRecursionConfigResponse, RecursiveLoop};
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionRecursionConfigRequest) -> Access {
    Access::to("lambda:GetFunctionRecursionConfig").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Tells whether a function may call itself in a circle.
pub(crate) async fn get_function_recursion_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionRecursionConfigRequest,
) -> Result<GetFunctionRecursionConfigResponse, Error> {
    let function = find(lambda, &Target::unqualified(ctx, &input.function_name)?).await?;
    let word = if function.may_recurse { RecursiveLoop::Allow } else { RecursiveLoop::Terminate };
    Ok(GetFunctionRecursionConfigResponse { recursive_loop: Some(word) })
}
