//! Lifts the bound on the permissions of a user.

use platform::{Access, Ctx};

use crate::api::DeleteUserPermissionsBoundaryRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteUserPermissionsBoundaryRequest) -> Access {
    Access::to("iam:DeleteUserPermissionsBoundary").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn delete_user_permissions_boundary(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteUserPermissionsBoundaryRequest,
) -> Result<(), Error> {
    iam.change_boundary::<User>(ctx, &input.user_name, None).await
}
