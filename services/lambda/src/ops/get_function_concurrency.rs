//! GetFunctionConcurrency.

use platform::{Access, Ctx};

use crate::api::{GetFunctionConcurrencyRequest, GetFunctionConcurrencyResponse};
use crate::function::find;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionConcurrencyRequest) -> Access {
    Access::to("lambda:GetFunctionConcurrency").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Tells how many executions are reserved for a function.
pub(crate) async fn get_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionConcurrencyRequest,
) -> Result<GetFunctionConcurrencyResponse, Error> {
    let function = find(lambda, &Target::unqualified(ctx, &input.function_name)?).await?;
    let reserved = function.reserved.and_then(|reserved| i32::try_from(reserved).ok());
    Ok(GetFunctionConcurrencyResponse { reserved_concurrent_executions: reserved })
}
