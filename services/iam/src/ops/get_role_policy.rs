//! Answers an inline policy of a role.

use platform::{Access, Ctx};

use crate::api::{GetRolePolicyRequest, GetRolePolicyResponse};
use crate::entity::Noun;
use crate::role::Role;
use crate::url_encoding::url_encoded;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetRolePolicyRequest) -> Access {
    Access::to("iam:GetRolePolicy").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn get_role_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: GetRolePolicyRequest,
) -> Result<GetRolePolicyResponse, Error> {
    let (role, document) = iam.inline::<Role>(ctx, &input.role_name, &input.policy_name).await?;
    Ok(GetRolePolicyResponse {
        policy_document: url_encoded(&document),
        policy_name: input.policy_name,
        role_name: role.identity.name,
    })
}
