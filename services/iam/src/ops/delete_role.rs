//! Removes a role that has nothing left. Its sessions end with it.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteRoleRequest;
use crate::entity::{Entity, Noun};
use crate::error::DeleteConflict;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteRoleRequest) -> Access {
    Access::to("iam:DeleteRole").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn delete_role(iam: &Iam, ctx: &Ctx, input: DeleteRoleRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let role = iam.find::<Role>(ctx, &input.role_name).await?;
        role.check_modifiable()?;
        if !role.instance_profiles.is_empty() {
            return Err(DeleteConflict::InstanceProfile.into());
        }
        role.held.check_deletable()?;
        let mut tx = Tx::new();
        tx.remove(&role);
        iam.drop_boundary(ctx, &mut tx, &role.held).await?;
        Ok((tx, ()))
    })
    .await?;
    iam.note_gone(ctx, Noun::Role);
    Ok(())
}
