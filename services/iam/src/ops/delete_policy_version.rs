//! Removes a version of a managed policy that is not its default one.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeletePolicyVersionRequest;
use crate::error::DeleteConflict;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &DeletePolicyVersionRequest) -> Access {
    Access::to("iam:DeletePolicyVersion").on(&*input.policy_arn)
}

pub(crate) async fn delete_policy_version(
    iam: &Iam,
    ctx: &Ctx,
    input: DeletePolicyVersionRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let (policy, version) = iam.find_versioned(ctx, &input.policy_arn, &input.version_id).await?;
        if version.number == policy.default_version {
            return Err(DeleteConflict::DefaultVersion.into());
        }
        let mut new = policy.value.clone();
        new.versions.retain(|other| *other != version);
        let mut tx = Tx::new();
        tx.replace(&policy, &new);
        if let Some(text) = iam.read_text(ctx, &policy.identity.id, &version.id()).await? {
            tx.remove(&text);
        }
        Ok((tx, ()))
    })
    .await
}
