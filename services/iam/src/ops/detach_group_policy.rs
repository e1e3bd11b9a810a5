//! Detaches a managed policy from a group.

use platform::{Access, Ctx};

use crate::api::DetachGroupPolicyRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DetachGroupPolicyRequest) -> Access {
    Access::to("iam:DetachGroupPolicy")
        .on(Noun::Group.named(ctx, &input.group_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn detach_group_policy(iam: &Iam, ctx: &Ctx, input: DetachGroupPolicyRequest) -> Result<(), Error> {
    iam.detach::<Group>(ctx, &input.group_name, &input.policy_arn).await
}
