//! Answers an inline policy of a user.

use platform::{Access, Ctx};

use crate::api::{GetUserPolicyRequest, GetUserPolicyResponse};
use crate::entity::Noun;
use crate::url_encoding::url_encoded;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetUserPolicyRequest) -> Access {
    Access::to("iam:GetUserPolicy").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn get_user_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: GetUserPolicyRequest,
) -> Result<GetUserPolicyResponse, Error> {
    let (user, document) = iam.inline::<User>(ctx, &input.user_name, &input.policy_name).await?;
    Ok(GetUserPolicyResponse {
        policy_document: url_encoded(&document),
        policy_name: input.policy_name,
        user_name: user.identity.name,
    })
}
