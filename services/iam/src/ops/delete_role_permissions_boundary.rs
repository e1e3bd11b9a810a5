//! Lifts the bound on the permissions of a role.

use platform::{Access, Ctx};

use crate::api::DeleteRolePermissionsBoundaryRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteRolePermissionsBoundaryRequest) -> Access {
    Access::to("iam:DeleteRolePermissionsBoundary").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn delete_role_permissions_boundary(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteRolePermissionsBoundaryRequest,
) -> Result<(), Error> {
    iam.change_boundary::<Role>(ctx, &input.role_name, None).await
}
