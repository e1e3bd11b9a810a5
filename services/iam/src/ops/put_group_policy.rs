//! Adds an inline policy to a group, or takes the place of the one with its name.

use platform::{Access, Ctx};

use crate::api::PutGroupPolicyRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &PutGroupPolicyRequest) -> Access {
    Access::to("iam:PutGroupPolicy").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn put_group_policy(iam: &Iam, ctx: &Ctx, input: PutGroupPolicyRequest) -> Result<(), Error> {
    iam.put_inline::<Group>(ctx, &input.group_name, &input.policy_name, &input.policy_document).await
}
