//! Services that call functions for what belongs to somebody: a bucket's events, a log group's.
//!
//! Such a call is an event, and the function's own policy alone decides on it: it names the service, and may name the resource
//! and its account. (Developer guide, "Granting Lambda function access to AWS services".)

use base::AccountId;
use bytes::Bytes;
use policy::Context;

use crate::executor::Invocation;
use crate::function::{Found, resolve};
use crate::names::Target;
use crate::{Error, Lambda, event, limits};

/// The action that the policy has to allow.
const ACTION: &str = "lambda:InvokeFunction";

/// A service that calls, and for which resource.
#[derive(Debug, Clone, Copy)]
pub struct ServiceCaller<'a> {
    /// The names by which policies may call it; one has to be let in.
    pub principals: &'a [&'a str],
    /// The resource: `aws:SourceArn`.
    pub source_arn: &'a str,
    /// Whose it is: `aws:SourceAccount`.
    pub source_account: AccountId,
}

/// Why a service cannot call a function.
#[derive(Debug, thiserror::Error)]
pub enum CannotCall {
    /// It never will, as things are: there is no such function, its policy does not let the service in, or there is too much to
    /// say.
    #[error("{0}")]
    Refused(String),
    /// It may later.
    #[error(transparent)]
    Failed(Error),
}

impl From<Error> for CannotCall {
    fn from(error: Error) -> Self {
        match error {
            Error::FunctionNotFound(_) => Self::Refused(error.to_string()),
            other => Self::Failed(other),
        }
    }
}

impl Lambda {
    /// Whether a function lets a service call it.
    ///
    /// # Errors
    /// [`CannotCall`]
    pub async fn lets_in(&self, function_arn: &str, caller: ServiceCaller<'_>) -> Result<(), CannotCall> {
        self.called_by(function_arn, caller).await.map(drop)
    }

    /// Sends a function an event. When this returns it is on disk, and is the function's own matter from there on.
    ///
    /// # Errors
    /// [`CannotCall`]
    pub async fn send(&self, function_arn: &str, caller: ServiceCaller<'_>, payload: Bytes) -> Result<(), CannotCall> {
        if payload.len() > limits::EVENT_BYTES_MAX {
            let (size, max) = (payload.len(), limits::EVENT_BYTES_MAX);
            return Err(CannotCall::Refused(format!("an event of {size} bytes is larger than {max}")));
        }
        let (target, found) = self.called_by(function_arn, caller).await?;
        let invocation = Invocation {
            callee: found.callee(&target),
            request_id: base::ids::uuid(&*self.platform.rng),
            payload,
            client_context: None,
            trace: None,
            wants_log_tail: false,
            since: self.platform.clock.now(),
        };
        Ok(event::send(self, invocation).await?)
    }

    async fn called_by(&self, function_arn: &str, caller: ServiceCaller<'_>) -> Result<(Target, Found), CannotCall> {
        let target = Target::of_arn(function_arn)
            .ok_or_else(|| CannotCall::Refused(format!("{function_arn} is no function's ARN")))?;
        let found = resolve(self, &target).await?;
        let policy = found.attached().policy.compiled();
        let is_let_in = policy.is_some_and(|policy| {
            caller.principals.iter().any(|principal| {
                let context = self.context(principal, caller);
                policy::evaluate_service_principal(principal, ACTION, function_arn, &context, &policy).is_allowed()
            })
        });
        match is_let_in {
            true => Ok((target, found)),
            false => Err(CannotCall::Refused(format!(
                "the policy of {function_arn} does not let {} in for {}",
                caller.principals.first().copied().unwrap_or_default(),
                caller.source_arn
            ))),
        }
    }

    /// The condition keys of a call that a service makes on its own account.
    fn context(&self, principal: &str, caller: ServiceCaller<'_>) -> Context {
        let now = self.platform.clock.now();
        let mut context = Context::new();
        context.set("aws:SourceArn", caller.source_arn);
        context.set("aws:SourceAccount", caller.source_account.to_string());
        context.set("aws:PrincipalIsAWSService", "true");
        context.set("aws:PrincipalServiceName", principal);
        context.set("aws:ViaAWSService", "false");
        context.set("aws:SecureTransport", "true");
        context.set("aws:CurrentTime", now.iso8601());
        context.set("aws:EpochTime", now.as_secs().to_string());
        context
    }
}
