//! Takes a user out of a group.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::RemoveUserFromGroupRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &RemoveUserFromGroupRequest) -> Access {
    Access::to("iam:RemoveUserFromGroup").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn remove_user_from_group(
    iam: &Iam,
    ctx: &Ctx,
    input: RemoveUserFromGroupRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let group = iam.find::<Group>(ctx, &input.group_name).await?;
        let user = iam.find::<User>(ctx, &input.user_name).await?;
        let (mut left, mut shrunk) = (user.value.clone(), group.value.clone());
        left.groups.retain(|id| *id != group.identity.id);
        let mut tx = Tx::new();
        // Taking out who is not in is no error at AWS.
        if left.groups.len() < user.groups.len() {
            shrunk.users = shrunk.users.saturating_sub(1);
            tx.replace(&user, &left).replace(&group, &shrunk);
        }
        Ok((tx, ()))
    })
    .await
}
