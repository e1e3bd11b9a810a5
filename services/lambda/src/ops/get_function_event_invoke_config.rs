//! GetFunctionEventInvokeConfig.

use platform::{Access, Ctx};

use crate::api::{FunctionEventInvokeConfig, GetFunctionEventInvokeConfigRequest};
use crate::event_invoke::none;
use crate::function::resolve;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionEventInvokeConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:GetFunctionEventInvokeConfig").on(target.arn())
}

/// Tells what was said of events.
pub(crate) async fn get_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let arn = target.function.qualified(target.qualifier());
    let found = match resolve(lambda, &target).await {
        Err(Error::FunctionNotFound(_)) => return Err(none(&arn)),
        found => found?,
    };
    let said = found.attached().event_invoke.as_ref().ok_or_else(|| none(&arn))?;
    Ok(said.describe(arn))
}
