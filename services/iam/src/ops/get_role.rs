//! Answers a role.

use platform::{Access, Ctx};

use crate::api::{GetRoleRequest, GetRoleResponse};
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetRoleRequest) -> Access {
    Access::to("iam:GetRole").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn get_role(iam: &Iam, ctx: &Ctx, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
    let role = iam.find::<Role>(ctx, &input.role_name).await?;
    Ok(GetRoleResponse { role: role.described(ctx.account()) })
}
