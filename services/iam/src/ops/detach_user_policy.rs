//! Detaches a managed policy from a user.

use platform::Ctx;

use crate::api::DetachUserPolicyRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) async fn detach_user_policy(iam: &Iam, ctx: &Ctx, input: DetachUserPolicyRequest) -> Result<(), Error> {
    iam.detach::<User>(ctx, &input.user_name, &input.policy_arn).await
}
