//! Gives a group another name or path. Its ARN changes with them.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::UpdateGroupRequest;
use crate::entity::{Noun, insert};
use crate::group::Group;
use crate::names::folded;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateGroupRequest) -> Access {
    Access::to("iam:UpdateGroup").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn update_group(iam: &Iam, ctx: &Ctx, input: UpdateGroupRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let old = iam.find::<Group>(ctx, &input.group_name).await?;
        let mut new = old.value.clone();
        new.identity.name = input.new_group_name.clone().unwrap_or(new.identity.name);
        new.identity.path = input.new_path.clone().unwrap_or(new.identity.path);
        let moved = new.identity.arn(Noun::Group, ctx.account()).to_string();
        ctx.authorize(&Access::to("iam:UpdateGroup").on(moved)).map_err(Error::Denied)?;
        let mut tx = Tx::new();
        if folded(&new.identity.name) == folded(&old.identity.name) {
            tx.replace(&old, &new);
        } else {
            iam.check_is_free::<Group>(ctx, &new.identity.name).await?;
            tx.remove(&old);
            insert(&mut tx, &ctx.global_scope(), &new);
        }
        Ok((tx, ()))
    })
    .await
}
