//! DeleteFunctionConcurrency.

use platform::{Access, Ctx};

use crate::api::DeleteFunctionConcurrencyRequest;
use crate::concurrency::reserve;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteFunctionConcurrencyRequest) -> Access {
    Access::to("lambda:DeleteFunctionConcurrency").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Gives back the executions that were reserved for a function.
pub(crate) async fn delete_function_concurrency(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionConcurrencyRequest,
) -> Result<(), Error> {
    reserve(lambda, &Target::unqualified(ctx, &input.function_name)?, None).await
}
