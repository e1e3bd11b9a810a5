//! Answers an inline policy of a group.

use platform::{Access, Ctx};

use crate::api::{GetGroupPolicyRequest, GetGroupPolicyResponse};
use crate::entity::Noun;
use crate::group::Group;
use crate::url_encoding::url_encoded;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetGroupPolicyRequest) -> Access {
    Access::to("iam:GetGroupPolicy").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn get_group_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: GetGroupPolicyRequest,
) -> Result<GetGroupPolicyResponse, Error> {
    let (group, document) = iam.inline::<Group>(ctx, &input.group_name, &input.policy_name).await?;
    Ok(GetGroupPolicyResponse {
        policy_document: url_encoded(&document),
        policy_name: input.policy_name,
        group_name: group.identity.name,
    })
}
