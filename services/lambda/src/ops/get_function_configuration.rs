//! GetFunctionConfiguration.

use platform::{Access, Ctx};

use crate::api::{FunctionConfiguration, GetFunctionConfigurationRequest};
use crate::describe::Described;
use crate::function::{Found, resolve};
use crate::names::Target;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetFunctionConfigurationRequest) -> Access {
    let target = Target::read(ctx, &input.function_name, input.qualifier.as_deref());
    Access::to("lambda:GetFunctionConfiguration").on(target.arn())
}

/// Tells of a function or version.
pub(crate) async fn get_function_configuration(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetFunctionConfigurationRequest,
) -> Result<FunctionConfiguration, Error> {
    let target = Target::of_request(ctx, &input.function_name, input.qualifier.as_deref())?;
    let found = resolve(lambda, &target).await?;
    described(&target, &found).whole(lambda)
}

/// What was found, under the ARN by which it was asked for.
pub(crate) fn described<'a>(target: &'a Target, found: &'a Found) -> Described<'a> {
    let described = match &found.version {
        Some(version) => Described::version(&target.function, version),
        None => Described::latest(&target.function, &found.function),
    };
    described.under(target.arn())
}
