//! Removes a group that has nothing left, and nobody.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteGroupRequest;
use crate::entity::Noun;
use crate::error::DeleteConflict;
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteGroupRequest) -> Access {
    Access::to("iam:DeleteGroup").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn delete_group(iam: &Iam, ctx: &Ctx, input: DeleteGroupRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let group = iam.find::<Group>(ctx, &input.group_name).await?;
        if group.users > 0 {
            return Err(DeleteConflict::GroupUsers.into());
        }
        group.held.check_deletable()?;
        let mut tx = Tx::new();
        tx.remove(&group);
        Ok((tx, ()))
    })
    .await?;
    iam.note_gone(ctx, Noun::Group);
    Ok(())
}
