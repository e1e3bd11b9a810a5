//! Gives the account an alias instead of the one that it has.

use platform::{Access, Ctx};
use store::{Scope, Tx};

use crate::account_alias::{AccountAlias, AliasOwner, ONLY};
use crate::api::CreateAccountAliasRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, _input: &CreateAccountAliasRequest) -> Access {
    Access::to("iam:CreateAccountAlias")
}

pub(crate) async fn create_account_alias(iam: &Iam, ctx: &Ctx, input: CreateAccountAliasRequest) -> Result<(), Error> {
    let (store, alias) = (&iam.platform.store, input.account_alias);
    iam.transact(|| async {
        let mut tx = Tx::new();
        if let Some(owner) = store.read::<AliasOwner>(&Scope::system(), &[&alias]).await? {
            return match owner.0 == ctx.account() {
                true => Ok((tx, ())),
                false => Err(Error::AliasExists { alias: alias.clone() }),
            };
        }
        let new = AccountAlias(alias.clone());
        match store.read::<AccountAlias>(&ctx.global_scope(), &[ONLY]).await? {
            None => drop(tx.insert(&ctx.global_scope(), &[ONLY], &new)),
            Some(old) => {
                tx.replace(&old, &new);
                if let Some(taken) = store.read::<AliasOwner>(&Scope::system(), &[&old.0]).await? {
                    tx.remove(&taken);
                }
            }
        }
        tx.insert(&Scope::system(), &[&alias], &AliasOwner(ctx.account()));
        Ok((tx, ()))
    })
    .await
}
