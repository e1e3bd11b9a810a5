//! The one gate before every handler.
//!
//! Until policies are evaluated it knows two kinds of caller. An account's root, or a session of a role that a root opened
//! and no policy narrows, may do everything in that account. Everybody else may do nothing but what AWS lets every
//! authenticated caller do whatever their policies say: ask who they are, and have a session of their own.

use wire::model::{Protocol, ServiceModel};

use crate::Ctx;

/// Operations that AWS never denies to a caller whose signature holds.
const OPEN_TO_ALL: [(&str, &str); 2] = [("sts", "GetCallerIdentity"), ("sts", "GetSessionToken")];

/// Lets the caller through to `operation` or says why not, in AWS's words.
pub fn authorize(ctx: &Ctx, protocol: Protocol, model: &ServiceModel, operation: usize) -> Result<(), wire::Error> {
    let name = model.operation_name(operation);
    if ctx.is_rooted || OPEN_TO_ALL.contains(&(model.name, name)) {
        return Ok(());
    }
    let (code, status) = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => ("AccessDeniedException", 400),
        Protocol::AwsQuery => ("AccessDenied", 403),
    };
    let action = format!("{}:{name}", model.name);
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: * because no identity-based policy allows the {action} action",
        ctx.principal.arn
    );
    Err(wire::Error::new(code, status, message))
}
