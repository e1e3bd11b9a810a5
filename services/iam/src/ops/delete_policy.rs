//! Removes a managed policy that nobody holds and that has only its default version left.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeletePolicyRequest;
use crate::attachment::PolicyUse;
use crate::entity::Noun;
use crate::error::DeleteConflict;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &DeletePolicyRequest) -> Access {
    Access::to("iam:DeletePolicy").on(&*input.policy_arn)
}

pub(crate) async fn delete_policy(iam: &Iam, ctx: &Ctx, input: DeletePolicyRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let policy = iam.find::<Policy>(ctx, &input.policy_arn).await?;
        let arn = policy.arn(ctx.account());
        if iam.policy_use(ctx, &arn).await? != PolicyUse::default() {
            return Err(DeleteConflict::PolicyInUse.into());
        }
        if policy.versions.len() > 1 {
            return Err(DeleteConflict::PolicyVersions.into());
        }
        let mut tx = Tx::new();
        tx.remove(&policy);
        tx.require_absent::<PolicyUse>(&ctx.global_scope(), &[&arn.key()]);
        for version in &policy.versions {
            if let Some(text) = iam.read_text(ctx, &policy.identity.id, &version.id()).await? {
                tx.remove(&text);
            }
        }
        Ok((tx, ()))
    })
    .await?;
    iam.note_gone(ctx, Noun::Policy);
    Ok(())
}
