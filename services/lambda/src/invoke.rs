//! What is the same of all ways to call a function: what is called, with what, and whether it can be now.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use platform::{Access, Ctx};
use serde::de::IgnoredAny;

use crate::executor::{Invocation, Refused, Throttle};
use crate::function::{Condition, Found, resolve, version};
use crate::names::{LATEST, Target};
use crate::{Error, Lambda, limits};

/// The action of all ways to call a function but one.
const ACTION: &str = "lambda:InvokeFunction";
/// How finely an alias's weight is drawn: as many parts.
const PARTS: f64 = 4_294_967_296.0;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Somebody waits for the answer.
    Waiting,
    /// Nobody does.
    Event,
    /// Only to know whether it can be.
    DryRun,
}

/// What a request to call says.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) function_name: String,
    pub(crate) qualifier: Option<String>,
    pub(crate) payload: Vec<u8>,
    pub(crate) client_context: Option<String>,
    pub(crate) wants_log_tail: bool,
    pub(crate) way: Way,
}

/// Who may.
pub(crate) fn access(ctx: &Ctx, function_name: &str, qualifier: Option<&str>) -> Access {
    let target = Target::read(ctx, function_name, qualifier);
    Access::to(ACTION).on(target.arn()).key("lambda:FunctionArn", target.arn())
}

/// Checks a call, and finds what is called.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn admit(lambda: &Lambda, ctx: &Ctx, call: Call) -> Result<Invocation, Error> {
    let target = Target::of_request(ctx, &call.function_name, call.qualifier.as_deref())?;
    check_size(&call)?;
    let found = resolve(lambda, &target).await?;
    let found = drawn(lambda, &target, found).await?;
    check_payload(&call)?;
    let condition = found.version.as_ref().map_or(&found.function.condition, |version| &version.condition);
    if *condition != Condition::Active {
        return Err(Error::NotActive(condition.as_str()));
    }
    if found.function.reserved == Some(0) && call.way != Way::DryRun {
        return Err(Refused::Throttled(Throttle::ReservedFunctionConcurrentInvocationLimitExceeded).into());
    }
    let payload = if call.payload.is_empty() { Bytes::from_static(b"{}") } else { call.payload.into() };
    Ok(Invocation {
        callee: found.callee(&target),
        request_id: ctx.request_id.clone(),
        payload,
        client_context: call.client_context,
        trace: None,
        wants_log_tail: call.wants_log_tail,
        since: ctx.now,
    })
}

/// Of an alias with two versions: the one that this call gets.
///
/// # Errors
/// [`Error::FunctionNotFound`] where that version has gone; [`Error::Store`].
pub(crate) async fn drawn(lambda: &Lambda, target: &Target, mut found: Found) -> Result<Found, Error> {
    let additional = found.alias.as_ref().and_then(|alias| alias.additional.clone());
    let Some((other, weight)) = additional else { return Ok(found) };
    let mut bytes = [0; 4];
    lambda.platform.rng.fill(&mut bytes);
    if f64::from(u32::from_be_bytes(bytes)) < weight * PARTS {
        found.version = match other == LATEST {
            true => None,
            false => Some(version(lambda, &target.function, &found.function, &other).await?),
        };
    }
    Ok(found)
}

fn check_size(call: &Call) -> Result<(), Error> {
    let size = call.payload.len();
    if size > limits::PAYLOAD_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "Request must be smaller than {} bytes for the InvokeFunction operation",
            limits::PAYLOAD_BYTES_MAX
        )));
    }
    if call.way == Way::Event && size > limits::EVENT_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "{size} byte payload is too large for the Event invocation type (limit {} bytes)",
            limits::EVENT_BYTES_MAX
        )));
    }
    Ok(())
}

fn check_payload(call: &Call) -> Result<(), Error> {
    if !call.payload.is_empty() {
        serde_json::from_slice::<IgnoredAny>(&call.payload).map_err(|error| Error::Payload(error.to_string()))?;
    }
    let Some(context) = &call.client_context else { return Ok(()) };
    let decoded = BASE64.decode(context).ok().filter(|_| context.len() <= limits::CLIENT_CONTEXT_BYTES_MAX);
    let is_object = decoded.is_some_and(|json| serde_json::from_slice::<serde_json::Map<_, _>>(&json).is_ok());
    match is_object {
        true => Ok(()),
        false => Err(Error::Context),
    }
}
