//! Removes an inline policy from a role.

use platform::Ctx;

use crate::api::DeleteRolePolicyRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) async fn delete_role_policy(iam: &Iam, ctx: &Ctx, input: DeleteRolePolicyRequest) -> Result<(), Error> {
    iam.delete_inline::<Role>(ctx, &input.role_name, &input.policy_name).await
}
