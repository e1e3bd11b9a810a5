//! Answers a role.

use platform::Ctx;

use crate::api::{GetRoleRequest, GetRoleResponse};
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn get_role(iam: &Iam, ctx: &Ctx, input: GetRoleRequest) -> Result<GetRoleResponse, Error> {
    let role = iam.find::<Role>(ctx, &input.role_name).await?;
    Ok(GetRoleResponse { role: role.described(ctx.account()) })
}
