//! Answers an inline policy of a role.

use platform::Ctx;

use crate::api::{GetRolePolicyRequest, GetRolePolicyResponse};
use crate::role::Role;
use crate::url_encoding::url_encoded;
use crate::{Error, Iam};

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
