//! Detaches a managed policy from a role.

use platform::Ctx;

use crate::api::DetachRolePolicyRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn detach_role_policy(iam: &Iam, ctx: &Ctx, input: DetachRolePolicyRequest) -> Result<(), Error> {
    iam.detach::<Role>(ctx, &input.role_name, &input.policy_arn).await
}
