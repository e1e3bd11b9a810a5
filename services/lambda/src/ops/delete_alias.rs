//! DeleteAlias.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteAliasRequest;
use crate::function::{Change, alias, changing, find};
use crate::names::Target;
use crate::reconcile::gone::remove_address;
use crate::{Error, Lambda, usage};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteAliasRequest) -> Access {
    Access::to("lambda:DeleteAlias").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Takes a name from a version, with what hangs by it. One that is not there need not be deleted.
pub(crate) async fn delete_alias(lambda: &Lambda, ctx: &Ctx, input: DeleteAliasRequest) -> Result<(), Error> {
    let name = Target::unqualified(ctx, &input.function_name)?;
    changing(lambda, || async {
        let (function, mut usage) = (find(lambda, &name).await?, usage::read(lambda, &name.scope()).await?);
        let alias = match alias(lambda, &name, &function, &input.name).await {
            Err(Error::AliasNotFound(_)) => return Ok(Change { tx: Tx::new(), outcome: () }),
            alias => alias?,
        };
        let mut now = function.value.clone();
        now.provisioned.remove(&alias.name);
        usage.claim(function.claimed(), now.claimed(), "")?;
        let mut tx = Tx::new();
        tx.remove(&alias).replace(&function, &now);
        if let Some(url) = &alias.attached.url {
            remove_address(&mut tx, &url.id);
        }
        usage.write(&mut tx);
        Ok(Change { tx, outcome: () })
    })
    .await
}
