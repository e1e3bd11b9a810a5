//! DeleteLifecyclePolicy.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::{DeleteLifecyclePolicyRequest, DeleteLifecyclePolicyResponse};
use crate::lifecycle::{self, LifecyclePolicy};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteLifecyclePolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:DeleteLifecyclePolicy").on(name.arn())
}

/// Deletes a repository's lifecycle policy, and answers what it was. No image expires by it from then on.
pub(crate) async fn delete_lifecycle_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: DeleteLifecyclePolicyRequest,
) -> Result<DeleteLifecyclePolicyResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(ecr, &name).await;
        if !attempts.again(&outcome) {
            let policy = outcome?;
            return Ok(DeleteLifecyclePolicyResponse {
                registry_id: Some(name.registry.to_string()),
                repository_name: Some(name.name),
                lifecycle_policy_text: Some(policy.text),
                last_evaluated_at: policy.last_evaluated,
            });
        }
    }
}

async fn delete(ecr: &Ecr, name: &RepositoryName) -> Result<LifecyclePolicy, Error> {
    let store = &ecr.platform.store;
    let repository = repository::find(store, name.clone()).await?;
    let policy = lifecycle::find(store, &repository).await?;
    let mut tx = Tx::new();
    tx.remove(&policy);
    store.commit(tx).await?;
    Ok(policy.value)
}
