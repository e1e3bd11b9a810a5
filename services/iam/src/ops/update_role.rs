//! Changes a role's description and the longest session; what the request leaves out stays.

use platform::{Access, Ctx};

use crate::api::{UpdateRoleRequest, UpdateRoleResponse};
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateRoleRequest) -> Access {
    Access::to("iam:UpdateRole").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn update_role(iam: &Iam, ctx: &Ctx, input: UpdateRoleRequest) -> Result<UpdateRoleResponse, Error> {
    iam.change::<Role>(ctx, &input.role_name, |role| {
        role.description = input.description.clone().or(role.description.take());
        if let Some(seconds) = input.max_session_duration.and_then(|seconds| u32::try_from(seconds).ok()) {
            role.max_session_duration_s = seconds;
        }
        Ok(())
    })
    .await?;
    Ok(UpdateRoleResponse {})
}
