//! Removes an inline policy from a role.

use platform::{Access, Ctx};

use crate::api::DeleteRolePolicyRequest;
use crate::entity::Noun;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteRolePolicyRequest) -> Access {
    Access::to("iam:DeleteRolePolicy").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn delete_role_policy(iam: &Iam, ctx: &Ctx, input: DeleteRolePolicyRequest) -> Result<(), Error> {
    iam.delete_inline::<Role>(ctx, &input.role_name, &input.policy_name).await
}
