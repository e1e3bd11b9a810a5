//! PutLifecyclePolicy.

use platform::{Access, Attempts, Ctx};
use store::{Store, Tx, Versioned};

use crate::api::{PutLifecyclePolicyRequest, PutLifecyclePolicyResponse};
use crate::lifecycle::{LifecyclePolicy, document};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutLifecyclePolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:PutLifecyclePolicy").on(name.arn())
}

/// Sets a repository's lifecycle policy. It is executed soon, and then again and again.
pub(crate) async fn put_lifecycle_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: PutLifecyclePolicyRequest,
) -> Result<PutLifecyclePolicyResponse, Error> {
    document::parse(&input.lifecycle_policy_text)?;
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = name.name.clone();
    let policy = LifecyclePolicy { repository, text: input.lifecycle_policy_text, last_evaluated: None };
    let mut attempts = Attempts::new();
    loop {
        let outcome = keep(&ecr.platform.store, &name, &policy).await;
        if !attempts.again(&outcome) {
            outcome?;
            return Ok(PutLifecyclePolicyResponse {
                registry_id: Some(name.registry.to_string()),
                repository_name: Some(name.name),
                lifecycle_policy_text: Some(policy.text),
            });
        }
    }
}

async fn keep(store: &Store, name: &RepositoryName, policy: &LifecyclePolicy) -> Result<(), Error> {
    let repository = repository::find(store, name.clone()).await?;
    let (scope, id) = (&repository.record.scope, [repository.id()]);
    let found: Option<Versioned<LifecyclePolicy>> = store.read(scope, &id).await?;
    let mut tx = Tx::new();
    tx.require(&repository.record);
    match &found {
        Some(present) => tx.replace(present, policy),
        None => tx.insert(scope, &id, policy),
    };
    store.commit(tx).await?;
    Ok(())
}
