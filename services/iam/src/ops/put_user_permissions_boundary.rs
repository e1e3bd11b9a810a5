//! Bounds the permissions of a user with a managed policy.

use platform::{Access, Ctx};

use crate::api::PutUserPermissionsBoundaryRequest;
use crate::attachment::bounded_by;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &PutUserPermissionsBoundaryRequest) -> Access {
    let access = Access::to("iam:PutUserPermissionsBoundary").on(Noun::User.named(ctx, &input.user_name));
    bounded_by(access, Some(&input.permissions_boundary))
}

pub(crate) async fn put_user_permissions_boundary(
    iam: &Iam,
    ctx: &Ctx,
    input: PutUserPermissionsBoundaryRequest,
) -> Result<(), Error> {
    iam.change_boundary::<User>(ctx, &input.user_name, Some(&input.permissions_boundary)).await
}
