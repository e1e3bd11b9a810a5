//! UpdateAlias.

use platform::{Access, Ctx};
use store::Tx;

use crate::alias::Route;
use crate::api::{AliasConfiguration, UpdateAliasRequest};
use crate::function::{Alias, Change, alias, changing, find, new_revision};
use crate::names::{LATEST, Target};
use crate::{Error, Lambda, describe};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateAliasRequest) -> Access {
    Access::to("lambda:UpdateAlias").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Changes where an alias leads, or what it is called for.
pub(crate) async fn update_alias(
    lambda: &Lambda,
    ctx: &Ctx,
    input: UpdateAliasRequest,
) -> Result<AliasConfiguration, Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    if input.function_version.as_deref().is_some_and(|it| it != LATEST && it.starts_with('$')) {
        return Err(Error::NotServed("Pilvi does not serve managed instances ($LATEST.PUBLISHED) yet.".to_owned()));
    }
    let changed = changing(lambda, || async {
        let function = find(lambda, &name).await?;
        let before = alias(lambda, &name, &function, &input.name).await?;
        if input.revision_id.as_ref().is_some_and(|expected| *expected != before.revision) {
            return Err(Error::Revision("GetFunction/GetAlias"));
        }
        let version = input.function_version.clone().unwrap_or_else(|| before.function_version.clone());
        let mut route = Route::new(version, input.routing_config.clone())?;
        if input.routing_config.is_none() {
            route.additional = before.additional.clone();
        }
        route.check(lambda, &name, &function).await?;
        let now = Alias {
            description: input.description.clone().unwrap_or_else(|| before.description.clone()),
            function_version: route.version,
            additional: route.additional,
            revision: new_revision(lambda),
            ..before.value.clone()
        };
        let mut tx = Tx::new();
        tx.require(&function).replace(&before, &now);
        Ok(Change { tx, outcome: now })
    })
    .await?;
    Ok(describe::alias(&name, &changed))
}
