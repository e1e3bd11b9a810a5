//! PutFunctionEventInvokeConfig.

use platform::{Access, Ctx};

use crate::api::{FunctionEventInvokeConfig, PutFunctionEventInvokeConfigRequest};
use crate::event_invoke::{Said, no_function};
use crate::function::amend;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutFunctionEventInvokeConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:PutFunctionEventInvokeConfig").on(target.arn())
}

/// Says what becomes of events, in place of what was said before.
pub(crate) async fn put_function_event_invoke_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: PutFunctionEventInvokeConfigRequest,
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
        let now = said.upon(None, ctx.now);
        attached.event_invoke = Some(now.clone());
        Ok(now)
    });
    let (now, _) = amended.await.map_err(no_function)?;
    Ok(now.describe(arn))
}
