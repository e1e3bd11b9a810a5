//! GetAlias.

use platform::{Access, Ctx};

use crate::api::{AliasConfiguration, GetAliasRequest};
use crate::function::{alias, find};
use crate::names::Target;
use crate::{Error, Lambda, describe};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetAliasRequest) -> Access {
    Access::to("lambda:GetAlias").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Tells where an alias leads.
pub(crate) async fn get_alias(lambda: &Lambda, ctx: &Ctx, input: GetAliasRequest) -> Result<AliasConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    let function = find(lambda, &name).await?;
    let alias = alias(lambda, &name, &function, &input.name).await?;
    Ok(describe::alias(&name, &alias))
}
