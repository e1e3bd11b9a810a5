//! Removes an inline policy from a user.

use platform::Ctx;

use crate::api::DeleteUserPolicyRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) async fn delete_user_policy(iam: &Iam, ctx: &Ctx, input: DeleteUserPolicyRequest) -> Result<(), Error> {
    iam.delete_inline::<User>(ctx, &input.user_name, &input.policy_name).await
}
