//! Attaches a managed policy to a user.

use platform::Ctx;

use crate::api::AttachUserPolicyRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) async fn attach_user_policy(iam: &Iam, ctx: &Ctx, input: AttachUserPolicyRequest) -> Result<(), Error> {
    iam.attach::<User>(ctx, &input.user_name, &input.policy_arn).await
}
