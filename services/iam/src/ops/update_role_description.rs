//! Changes a role's description.

use platform::{Access, Ctx};

use crate::api::{Role as RoleView, UpdateRoleDescriptionRequest, UpdateRoleDescriptionResponse};
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateRoleDescriptionRequest) -> Access {
    Access::to("iam:UpdateRoleDescription").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn update_role_description(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateRoleDescriptionRequest,
) -> Result<UpdateRoleDescriptionResponse, Error> {
    let role = iam
        .change::<Role>(ctx, &input.role_name, |role| {
            role.description = Some(input.description.clone());
            Ok(())
        })
        .await?;
    let account = ctx.account();
    let role = RoleView { description: role.description.clone(), ..role.embedded(account) };
    Ok(UpdateRoleDescriptionResponse { role: Some(role) })
}
