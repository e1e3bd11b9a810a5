//! Adds an inline policy to a user, or takes the place of the one with its name.

use platform::{Access, Ctx};

use crate::api::PutUserPolicyRequest;
use crate::entity::Noun;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &PutUserPolicyRequest) -> Access {
    Access::to("iam:PutUserPolicy").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn put_user_policy(iam: &Iam, ctx: &Ctx, input: PutUserPolicyRequest) -> Result<(), Error> {
    iam.put_inline::<User>(ctx, &input.user_name, &input.policy_name, &input.policy_document).await
}
