//! Adds an inline policy to a role, or takes the place of the one with its name.

use platform::{Access, Ctx};

use crate::api::PutRolePolicyRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &PutRolePolicyRequest) -> Access {
    Access::to("iam:PutRolePolicy").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn put_role_policy(iam: &Iam, ctx: &Ctx, input: PutRolePolicyRequest) -> Result<(), Error> {
    iam.put_inline::<Role>(ctx, &input.role_name, &input.policy_name, &input.policy_document).await
}
