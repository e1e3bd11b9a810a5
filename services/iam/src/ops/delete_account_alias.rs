//! Takes the account's alias away.

use platform::{Access, Ctx};
use store::{Scope, Tx};

use crate::account_alias::{AccountAlias, AliasOwner, ONLY};
use crate::api::DeleteAccountAliasRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, _input: &DeleteAccountAliasRequest) -> Access {
    Access::to("iam:DeleteAccountAlias")
}

pub(crate) async fn delete_account_alias(iam: &Iam, ctx: &Ctx, input: DeleteAccountAliasRequest) -> Result<(), Error> {
    let (store, alias) = (&iam.platform.store, input.account_alias);
    iam.transact(|| async {
        let held = store.read::<AccountAlias>(&ctx.global_scope(), &[ONLY]).await?;
        let held = held.filter(|held| held.0 == alias).ok_or_else(|| Error::NoSuchAlias { alias: alias.clone() })?;
        let mut tx = Tx::new();
        tx.remove(&held);
        if let Some(owner) = store.read::<AliasOwner>(&Scope::system(), &[&alias]).await? {
            tx.remove(&owner);
        }
        Ok((tx, ()))
    })
    .await
}
