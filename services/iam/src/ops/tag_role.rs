//! Adds tags to a role.

use platform::{Access, Ctx};

use crate::api::TagRoleRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &TagRoleRequest) -> Access {
    Access::to("iam:TagRole").on(Noun::Role.named(ctx, &input.role_name)).request_tags(pairs(&input.tags))
}

pub(crate) async fn tag_role(iam: &Iam, ctx: &Ctx, input: TagRoleRequest) -> Result<(), Error> {
    iam.tag::<Role>(ctx, &input.role_name, &input.tags).await
}
