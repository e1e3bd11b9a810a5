//! Attaches a managed policy to a user.

use platform::{Access, Ctx};

use crate::api::AttachUserPolicyRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &AttachUserPolicyRequest) -> Access {
    Access::to("iam:AttachUserPolicy")
        .on(Noun::User.named(ctx, &input.user_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn attach_user_policy(iam: &Iam, ctx: &Ctx, input: AttachUserPolicyRequest) -> Result<(), Error> {
    iam.attach::<User>(ctx, &input.user_name, &input.policy_arn).await
}
