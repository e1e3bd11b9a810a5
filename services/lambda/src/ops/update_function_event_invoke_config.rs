//! UpdateFunctionEventInvokeConfig.

use platform::{Access, Ctx};

use crate::api::{FunctionEventInvokeConfig, UpdateFunctionEventInvokeConfigRequest};
use crate::event_invoke::{Said, no_function, none};
use crate::function::amend;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateFunctionEventInvokeConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:UpdateFunctionEventInvokeConfig").on(target.arn())
}

/// Says something else of events; what is not said stays.
pub(crate) async fn update_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateFunctionEventInvokeConfigRequest,
) -> Result<FunctionEventInvokeConfig, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let said = Said {
        retries: input.maximum_retry_attempts,
        age_s: input.maximum_event_age_in_seconds,
        destinations: input.destination_config,
    };
    said.check()?;
    let arn = target.function.qualified(target.qualifier());
    let amended = amend(lambda, &target, |_, _, attached, _| {
        let before = attached.event_invoke.as_ref().ok_or_else(|| none(&arn))?;
        let now = said.upon(Some(before), ctx.now);
        attached.event_invoke = Some(now.clone());
        Ok(now)
    });
    let (now, _) = amended.await.map_err(no_function)?;
    Ok(now.describe(arn))
}
