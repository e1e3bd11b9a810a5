//! PutFunctionConcurrency.

use platform::{Access, Ctx};

use crate::api::{Concurrency, PutFunctionConcurrencyRequest};
use crate::concurrency::reserve;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutFunctionConcurrencyRequest) -> Access {
    Access::to("lambda:PutFunctionConcurrency").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Reserves executions for a function, and lets it have no more.
pub(crate) async fn put_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionConcurrencyRequest,
) -> Result<Concurrency, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    // The model lets no negative number through.
    reserve(lambda, &name, Some(u32::try_from(input.reserved_concurrent_executions).unwrap_or_default())).await?;
    Ok(Concurrency { reserved_concurrent_executions: Some(input.reserved_concurrent_executions) })
}
