//! PutRegistryPolicy.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::{PutRegistryPolicyRequest, PutRegistryPolicyResponse};
use crate::registry_policy::{self, RegistryPolicy};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &PutRegistryPolicyRequest) -> Access {
    Access::to("ecr:PutRegistryPolicy")
}

/// Sets the policy of the caller's registry.
pub(crate) async fn put_registry_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: PutRegistryPolicyRequest,
) -> Result<PutRegistryPolicyResponse, Error> {
    registry_policy::parse(&input.policy_text)?;
    let policy = RegistryPolicy { text: input.policy_text };
    let mut attempts = Attempts::new();
    loop {
        let outcome = keep(ecr, ctx, &policy).await;
        if !attempts.again(&outcome) {
            outcome?;
            let registry_id = Some(ctx.account().to_string());
            return Ok(PutRegistryPolicyResponse { registry_id, policy_text: Some(policy.text) });
        }
    }
}

async fn keep(ecr: &Ecr, ctx: &Ctx, policy: &RegistryPolicy) -> Result<(), Error> {
    let (store, scope) = (&ecr.platform.store, ctx.scope());
    let mut tx = Tx::new();
    match registry_policy::read(store, &scope).await? {
        Some(present) => tx.replace(&present, policy),
        None => tx.insert(&scope, &registry_policy::id(), policy),
    };
    store.commit(tx).await?;
    Ok(())
}
