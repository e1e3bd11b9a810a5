//! Bounds the permissions of a role with a managed policy.

use platform::{Access, Ctx};

use crate::api::PutRolePermissionsBoundaryRequest;
use crate::attachment::bounded_by;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &PutRolePermissionsBoundaryRequest) -> Access {
    let access = Access::to("iam:PutRolePermissionsBoundary").on(Noun::Role.named(ctx, &input.role_name));
    bounded_by(access, Some(&input.permissions_boundary))
}

pub(crate) async fn put_role_permissions_boundary(
    iam: &Iam,
    ctx: &Ctx,
    input: PutRolePermissionsBoundaryRequest,
) -> Result<(), Error> {
    iam.change_boundary::<Role>(ctx, &input.role_name, Some(&input.permissions_boundary)).await
}
