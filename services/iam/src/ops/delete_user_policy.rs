//! Removes an inline policy from a user.

use platform::{Access, Ctx};

use crate::api::DeleteUserPolicyRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteUserPolicyRequest) -> Access {
    Access::to("iam:DeleteUserPolicy").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn delete_user_policy(iam: &Iam, ctx: &Ctx, input: DeleteUserPolicyRequest) -> Result<(), Error> {
    iam.delete_inline::<User>(ctx, &input.user_name, &input.policy_name).await
}
