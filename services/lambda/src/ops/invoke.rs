//! Invoke.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use platform::{Access, Ctx};

use crate::api::{InvocationRequest, InvocationResponse, InvocationType, LogType};
use crate::invoke::{self, Call, Way};
use crate::{Error, Lambda, event};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &InvocationRequest) -> Access {
    invoke::access(ctx, &input.function_name, input.qualifier.as_deref())
}

/// Calls a function: and waits for its answer, or does not wait, or only sees whether it could.
pub(crate) async fn invoke(lambda: &Lambda, ctx: &Ctx, input: InvocationRequest) -> Result<InvocationResponse, Error> {
    if input.durable_execution_name.is_some() || input.tenant_id.is_some() {
        return Err(Error::NotServed("Pilvi does not serve durable functions and tenant isolation yet.".to_owned()));
    }
    let way = match input.invocation_type {
        None | Some(InvocationType::RequestResponse) => Way::Waiting,
        Some(InvocationType::Event) => Way::Event,
        Some(InvocationType::DryRun) => Way::DryRun,
    };
    let call = Call {
        function_name: input.function_name,
        qualifier: input.qualifier,
        payload: input.payload.unwrap_or_default(),
        client_context: input.client_context,
        wants_log_tail: input.log_type == Some(LogType::Tail) && way == Way::Waiting,
        way,
    };
    let invocation = invoke::admit(lambda, ctx, call).await?;
    let status = |status| InvocationResponse { status_code: Some(status), ..Default::default() };
    match way {
        Way::DryRun => Ok(status(204)),
        Way::Event => event::send(lambda, invocation).await.map(|()| status(202)),
        Way::Waiting => {
            let answered = lambda.neighbours.executor.invoke(invocation).await?;
            Ok(InvocationResponse {
                executed_version: Some(answered.version),
                function_error: answered.function_error,
                log_result: answered.log_tail.map(|tail| BASE64.encode(tail)),
                payload: Some(answered.payload.to_vec()),
                ..status(200)
            })
        }
    }
}
