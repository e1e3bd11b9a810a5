//! Replaces a role's trust policy.

use platform::{Access, Ctx};

use crate::api::UpdateAssumeRolePolicyRequest;
use crate::entity::{Entity, Noun};
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateAssumeRolePolicyRequest) -> Access {
    Access::to("iam:UpdateAssumeRolePolicy").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn update_assume_role_policy(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateAssumeRolePolicyRequest,
) -> Result<(), Error> {
    iam.find::<Role>(ctx, &input.role_name).await?.check_modifiable()?;
    let trust = iam.trust_policy(input.policy_document).await?;
    iam.change::<Role>(ctx, &input.role_name, |role| {
        role.trust = trust.clone();
        Ok(())
    })
    .await?;
    Ok(())
}
