//! Puts a user into a group; one that is in it stays there.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::AddUserToGroupRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::limits::GROUPS_PER_USER;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &AddUserToGroupRequest) -> Access {
    Access::to("iam:AddUserToGroup").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn add_user_to_group(iam: &Iam, ctx: &Ctx, input: AddUserToGroupRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let group = iam.find::<Group>(ctx, &input.group_name).await?;
        let user = iam.find::<User>(ctx, &input.user_name).await?;
        let mut tx = Tx::new();
        if user.groups.contains(&group.identity.id) {
            return Ok((tx, ()));
        }
        if user.groups.len() >= GROUPS_PER_USER {
            return Err(Error::Quota { quota: "GroupsPerUser", max: GROUPS_PER_USER });
        }
        let (mut joined, mut grown) = (user.value.clone(), group.value.clone());
        joined.groups.push(group.identity.id.clone());
        grown.users = grown.users.saturating_add(1);
        tx.replace(&user, &joined).replace(&group, &grown);
        Ok((tx, ()))
    })
    .await
}
