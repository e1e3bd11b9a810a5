//! DeleteRegistryPolicy.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::{DeleteRegistryPolicyRequest, DeleteRegistryPolicyResponse};
use crate::registry_policy::{self, RegistryPolicy};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &DeleteRegistryPolicyRequest) -> Access {
    Access::to("ecr:DeleteRegistryPolicy")
}

/// Deletes the policy of the caller's registry, and answers what it was.
pub(crate) async fn delete_registry_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    _input: DeleteRegistryPolicyRequest,
) -> Result<DeleteRegistryPolicyResponse, Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(ecr, ctx).await;
        if !attempts.again(&outcome) {
            let registry_id = Some(ctx.account().to_string());
            return Ok(DeleteRegistryPolicyResponse { registry_id, policy_text: Some(outcome?.text) });
        }
    }
}

async fn delete(ecr: &Ecr, ctx: &Ctx) -> Result<RegistryPolicy, Error> {
    let store = &ecr.platform.store;
    let found = registry_policy::find(store, &ctx.scope(), ctx.account()).await?;
    let mut tx = Tx::new();
    tx.remove(&found);
    store.commit(tx).await?;
    Ok(found.value)
}
