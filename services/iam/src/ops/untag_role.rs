//! Removes tags from a role.

use platform::{Access, Ctx};

use crate::api::UntagRoleRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UntagRoleRequest) -> Access {
    Access::to("iam:UntagRole")
        .on(Noun::Role.named(ctx, &input.role_name))
        .tag_keys(input.tag_keys.iter().map(String::as_str))
}

pub(crate) async fn untag_role(iam: &Iam, ctx: &Ctx, input: UntagRoleRequest) -> Result<(), Error> {
    iam.untag::<Role>(ctx, &input.role_name, &input.tag_keys).await
}
