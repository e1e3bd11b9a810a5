//! Attaches a managed policy to a role.

use platform::{Access, Ctx};

use crate::api::AttachRolePolicyRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &AttachRolePolicyRequest) -> Access {
    Access::to("iam:AttachRolePolicy")
        .on(Noun::Role.named(ctx, &input.role_name))
        .key("iam:PolicyARN", &*input.policy_arn)
}

pub(crate) async fn attach_role_policy(iam: &Iam, ctx: &Ctx, input: AttachRolePolicyRequest) -> Result<(), Error> {
    iam.attach::<Role>(ctx, &input.role_name, &input.policy_arn).await
}
