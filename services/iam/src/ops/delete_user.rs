//! Removes a user that has nothing left.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteUserRequest;
use crate::entity::Noun;
use crate::error::DeleteConflict;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteUserRequest) -> Access {
    Access::to("iam:DeleteUser").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn delete_user(iam: &Iam, ctx: &Ctx, input: DeleteUserRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let user = iam.find::<User>(ctx, &input.user_name).await?;
        if !user.access_keys.is_empty() {
            return Err(DeleteConflict::AccessKeys.into());
        }
        if !user.groups.is_empty() {
            return Err(DeleteConflict::GroupUsers.into());
        }
        user.held.check_deletable()?;
        let mut tx = Tx::new();
        tx.remove(&user);
        iam.drop_boundary(ctx, &mut tx, &user.held).await?;
        Ok((tx, ()))
    })
    .await?;
    iam.note_gone(ctx, Noun::User);
    Ok(())
}
