//! Detaches a managed policy from a role.

use platform::{Access, Ctx};

use crate::api::DetachRolePolicyRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DetachRolePolicyRequest) -> Access {
    Access::to("iam:DetachRolePolicy")
        .on(Noun::Role.named(ctx, &input.role_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn detach_role_policy(iam: &Iam, ctx: &Ctx, input: DetachRolePolicyRequest) -> Result<(), Error> {
    iam.detach::<Role>(ctx, &input.role_name, &input.policy_arn).await
}
