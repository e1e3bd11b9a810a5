//! RemovePermission.

use platform::{Access, Ctx};

use crate::api::RemovePermissionRequest;
use crate::function::amend;
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &RemovePermissionRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:RemovePermission").on(target.arn())
}

/// Takes back what AddPermission has given.
pub(crate) async fn remove_permission(lambda: &Lambda, ctx: &Ctx, input: RemovePermissionRequest) -> Result<(), Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let amended = amend(lambda, &target, |_, revision, attached, _| {
        let before = attached.policy.clone();
        attached.policy.remove(&input.statement_id)?;
        if input.revision_id.as_deref().is_some_and(|expected| expected != revision) {
            attached.policy = before;
            return Err(Error::Revision("GetFunction/GetAlias"));
        }
        Ok(())
    });
    match amended.await {
        Err(Error::FunctionNotFound(arn)) => Err(Error::NotFound(format!("No policy found for: {arn}"))),
        amended => amended.map(drop),
    }
}
