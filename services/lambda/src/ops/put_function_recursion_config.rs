//! PutFunctionRecursionConfig.

use platform::{Access, Ctx};

use crate::api::{PutFunctionRecursionConfigRequest, PutFunctionRecursionConfigResponse, RecursiveLoop};
use crate::function::update;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutFunctionRecursionConfigRequest) -> Access {
    Access::to("lambda:PutFunctionRecursionConfig").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Says whether a function may call itself in a circle.
pub(crate) async fn put_function_recursion_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionRecursionConfigRequest,
) -> Result<PutFunctionRecursionConfigResponse, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    update(lambda, &name, |function| {
        function.may_recurse = input.recursive_loop == RecursiveLoop::Allow;
        Ok(())
    })
    .await?;
    Ok(PutFunctionRecursionConfigResponse { recursive_loop: Some(input.recursive_loop) })
}
