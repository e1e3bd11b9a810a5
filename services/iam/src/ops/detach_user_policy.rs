//! Detaches a managed policy from a user.

use platform::{Access, Ctx};

use crate::api::DetachUserPolicyRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DetachUserPolicyRequest) -> Access {
    Access::to("iam:DetachUserPolicy")
        .on(Noun::User.named(ctx, &input.user_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn detach_user_policy(iam: &Iam, ctx: &Ctx, input: DetachUserPolicyRequest) -> Result<(), Error> {
    iam.detach::<User>(ctx, &input.user_name, &input.policy_arn).await
}
