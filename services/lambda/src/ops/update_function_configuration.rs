//! UpdateFunctionConfiguration.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{FunctionConfiguration, UpdateFunctionConfigurationRequest};
use crate::configuration::said;
use crate::executor::PRINCIPAL;
use crate::function::{self, Change, changing, find};
use crate::names::Target;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateFunctionConfigurationRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    let layers = input.layers.iter().flatten();
    let access = Access::to("lambda:UpdateFunctionConfiguration")
        .on(function.arn())
        .keys("lambda:Layer", layers.clone().cloned());
    let access = layers.fold(access, |access, arn| access.and(Access::to("lambda:GetLayerVersion").on(arn)));
    access.pass_role(input.role.as_deref(), PRINCIPAL)
}

/// Changes what is said of a function. What it was is called until what it is now is ready.
pub(crate) async fn update_function_configuration(
    lambda: &Lambda,
    ctx: &Ctx,
    mut input: UpdateFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    let function = find(lambda, &name).await?;
    function::check_revision(&function, input.revision_id.as_deref())?;
    function::check_changeable(&name, &function)?;
    let role = input.role.take();
    let checked = said!(input, role).check(lambda, ctx, &name).await?;
    let outcome = changing(lambda, || async {
        let (function, usage) = (find(lambda, &name).await?, usage::read(lambda, &name.scope()).await?);
        function::check_revision(&function, input.revision_id.as_deref())?;
        function::check_changeable(&name, &function)?;
        let latest = checked.clone().apply(lambda, &name, &function.latest)?;
        let mut tx = Tx::new();
        let outcome = function::change_latest(lambda, ctx, &name, &function, latest, false, usage, &mut tx).await?;
        Ok(Change { tx, outcome })
    })
    .await?;
    outcome.describe(lambda, &name)
}
