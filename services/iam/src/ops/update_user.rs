//! Gives a user another name or path. Its ARN changes with them, and so does the principal of its keys.

use platform::identity::AccessKey;
use platform::{Access, Ctx};
use store::Tx;

use crate::api::UpdateUserRequest;
use crate::entity::{Noun, insert};
use crate::names::folded;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateUserRequest) -> Access {
    Access::to("iam:UpdateUser").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn update_user(iam: &Iam, ctx: &Ctx, input: UpdateUserRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let old = iam.find::<User>(ctx, &input.user_name).await?;
        let mut new = old.value.clone();
        new.identity.name = input.new_user_name.clone().unwrap_or(new.identity.name);
        new.identity.path = input.new_path.clone().unwrap_or(new.identity.path);
        let moved = new.principal(ctx.account()).arn.to_string();
        ctx.authorize(&Access::to("iam:UpdateUser").on(moved)).map_err(Error::Denied)?;
        let mut tx = Tx::new();
        if folded(&new.identity.name) == folded(&old.identity.name) {
            tx.replace(&old, &new);
        } else {
            iam.check_is_free::<User>(ctx, &new.identity.name).await?;
            tx.remove(&old);
            insert(&mut tx, &ctx.global_scope(), &new);
        }
        for id in &new.access_keys {
            if let Some(key) = iam.access_key(id).await? {
                tx.replace(&key, &AccessKey { principal: new.principal(ctx.account()), ..key.value.clone() });
            }
        }
        Ok((tx, ()))
    })
    .await
}
