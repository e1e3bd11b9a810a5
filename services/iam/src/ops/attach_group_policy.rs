//! Attaches a managed policy to a group.

use platform::{Access, Ctx};

use crate::api::AttachGroupPolicyRequest;
use crate::entity::Noun;
use crate::group::Group;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &AttachGroupPolicyRequest) -> Access {
    Access::to("iam:AttachGroupPolicy")
        .on(Noun::Group.named(ctx, &input.group_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn attach_group_policy(iam: &Iam, ctx: &Ctx, input: AttachGroupPolicyRequest) -> Result<(), Error> {
    iam.attach::<Group>(ctx, &input.group_name, &input.policy_arn).await
}
