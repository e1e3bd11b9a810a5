//! Removes an inline policy from a group.

use platform::{Access, Ctx};

use crate::api::DeleteGroupPolicyRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteGroupPolicyRequest) -> Access {
    Access::to("iam:DeleteGroupPolicy").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn delete_group_policy(iam: &Iam, ctx: &Ctx, input: DeleteGroupPolicyRequest) -> Result<(), Error> {
    iam.delete_inline::<Group>(ctx, &input.group_name, &input.policy_name).await
}
