//! Attaches a managed policy to a role.

use platform::Ctx;

use crate::api::AttachRolePolicyRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn attach_role_policy(iam: &Iam, ctx: &Ctx, input: AttachRolePolicyRequest) -> Result<(), Error> {
    iam.attach::<Role>(ctx, &input.role_name, &input.policy_arn).await
}
