//! InvokeAsync, which AWS keeps for those who have called it for ever.

use platform::{Access, Ctx};

use crate::api::{InvokeAsyncRequest, InvokeAsyncResponse};
use crate::invoke::{self, Call, Way};
use crate::names::Target;
use crate::{Error, Lambda, event, limits};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &InvokeAsyncRequest) -> Access {
    Access::to("lambda:InvokeAsync").on(Target::read(ctx, &input.function_name, None).arn())
}

/// Calls a function, and does not wait for its answer.
pub(crate) async fn invoke_async(
    lambda: &Lambda,
    ctx: &Ctx,
    input: InvokeAsyncRequest,
) -> Result<InvokeAsyncResponse, Error> {
    let payload = input.invoke_args.into_reader().read_to_end(limits::PAYLOAD_BYTES_MAX).await;
    let call = Call {
        function_name: input.function_name,
        qualifier: None,
        payload: payload.map_err(|error| Error::Elsewhere(error.into()))?.to_vec(),
        client_context: None,
        wants_log_tail: false,
        way: Way::Event,
    };
    let invocation = invoke::admit(lambda, ctx, call).await?;
    event::send(lambda, invocation).await?;
    Ok(InvokeAsyncResponse { status: Some(202) })
}
