//! Makes a version of a managed policy the one that counts.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::SetDefaultPolicyVersionRequest;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &SetDefaultPolicyVersionRequest) -> Access {
    Access::to("iam:SetDefaultPolicyVersion").on(&*input.policy_arn)
}

pub(crate) async fn set_default_policy_version(
    iam: &Iam,
    ctx: &Ctx,
    input: SetDefaultPolicyVersionRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let (policy, version) = iam.find_versioned(ctx, &input.policy_arn, &input.version_id).await?;
        let mut tx = Tx::new();
        tx.replace(&policy, &Policy { default_version: version.number, ..policy.value.clone() });
        Ok((tx, ()))
    })
    .await
}
