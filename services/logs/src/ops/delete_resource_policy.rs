//! DeleteResourcePolicy.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::DeleteResourcePolicyRequest;
use crate::group::LogGroup;
use crate::names::{on_either, on_no_group};
use crate::ops::put_resource_policy::{Target, check_revision};
use crate::resource_policy::{self, OF_ACCOUNT, ResourcePolicy};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &DeleteResourcePolicyRequest) -> Access {
    const ACTION: &str = "logs:DeleteResourcePolicy";
    match input.resource_arn.as_deref() {
        Some(arn) => on_either(ctx, ACTION, None, Some(arn)),
        None => on_no_group(ctx, ACTION),
    }
}

/// Deletes a resource policy of the account by its name, or of a log group by its ARN.
pub(crate) async fn delete_resource_policy(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteResourcePolicyRequest,
) -> Result<(), Error> {
    let target = Target::of(ctx, input.policy_name, input.resource_arn)?;
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(logs, ctx, &target, input.expected_revision_id.as_deref()).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn delete(logs: &Logs, ctx: &Ctx, target: &Target, expected: Option<&str>) -> Result<(), Error> {
    let (store, scope) = (&logs.platform.store, ctx.scope());
    let mut tx = Tx::new();
    let (name, found) = match target {
        Target::Account(name) => (name, store.read::<ResourcePolicy>(&scope, &[OF_ACCOUNT, name]).await?),
        Target::Group(name) => {
            let group = group::find(store, name).await?;
            tx.replace(&group, &LogGroup { has_policy: false, ..group.value.clone() });
            (&name.name, resource_policy::of_group(store, &scope, &group.storage_id).await?)
        }
    };
    let found = found.ok_or_else(|| Error::PolicyNotFound(name.clone()))?;
    check_revision(Some(&found), expected)?;
    tx.remove(&found);
    store.commit(tx).await?;
    Ok(())
}
