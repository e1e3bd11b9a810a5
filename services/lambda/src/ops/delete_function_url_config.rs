//! DeleteFunctionUrlConfig.

use platform::{Access, Ctx};

use crate::api::DeleteFunctionUrlConfigRequest;
use crate::function::amend;
use crate::names::Target;
use crate::reconcile::gone::remove_address;
use crate::url::none;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteFunctionUrlConfigRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:DeleteFunctionUrlConfig").on(target.arn())
}

/// Takes a function's address away. Nobody is given it again.
pub(crate) async fn delete_function_url_config(
    lambda: &Lambda,
    ctx: &Ctx,
    input: DeleteFunctionUrlConfigRequest,
) -> Result<(), Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let amended = amend(lambda, &target, |_, _, attached, tx| {
        let url = attached.url.take().ok_or_else(none)?;
        remove_address(tx, &url.id);
        Ok(())
    });
    match amended.await {
        Err(Error::FunctionNotFound(_)) => Err(none()),
        amended => amended.map(drop),
    }
}
