//! DeleteFunctionEventInvokeConfig.

use platform::{Access, Ctx};

use crate::api::DeleteFunctionEventInvokeConfigRequest;
use crate::event_invoke::none;
use crate::function::amend;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteFunctionEventInvokeConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:DeleteFunctionEventInvokeConfig").on(target.arn())
}

/// Takes back what was said of events.
pub(crate) async fn delete_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionEventInvokeConfigRequest,
) -> Result<(), Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let arn = target.function.qualified(target.qualifier());
    let amended =
        amend(lambda, &target, |_, _, attached, _| attached.event_invoke.take().map(drop).ok_or_else(|| none(&arn)));
    match amended.await {
        Err(Error::FunctionNotFound(_)) => Err(none(&arn)),
        amended => amended.map(drop),
    }
}
