//! CreateAlias.

use platform::{Access, Ctx};
use store::Tx;

use crate::alias::Route;
use crate::api::{AliasConfiguration, CreateAliasRequest};
use crate::function::{Alias, Attached, Change, changing, find, new_revision};
use crate::names::{LATEST, Target};
use crate::{Error, Lambda, describe};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CreateAliasRequest) -> Access {
    Access::to("lambda:CreateAlias").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Gives a version a name.
pub(crate) async fn create_alias(
    lambda: &Lambda,
    ctx: &Ctx,
    input: CreateAliasRequest,
) -> Result<AliasConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    if input.function_version != LATEST && input.function_version.starts_with('$') {
        return Err(Error::NotServed("Pilvi does not serve managed instances ($LATEST.PUBLISHED) yet.".to_owned()));
    }
    let route = Route::new(input.function_version, input.routing_config)?;
    let alias = Alias {
        name: input.name,
        description: input.description.unwrap_or_default(),
        function_version: route.version.clone(),
        additional: route.additional.clone(),
        revision: new_revision(lambda),
        attached: Attached::default(),
    };
    changing(lambda, || async {
        let function = find(lambda, &name).await?;
        route.check(lambda, &name, &function).await?;
        let id = [function.uid.as_str(), alias.name.as_str()];
        if lambda.platform.store.read::<Alias>(&function.scope, &id).await?.is_some() {
            return Err(Error::Conflict(format!("Alias already exists: {}", name.qualified(&alias.name))));
        }
        let mut tx = Tx::new();
        tx.require(&function).insert(&function.scope, &id, &alias);
        Ok(Change { tx, outcome: () })
    })
    .await?;
    Ok(describe::alias(&name, &alias))
}
