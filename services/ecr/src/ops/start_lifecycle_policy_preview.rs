//! StartLifecyclePolicyPreview.

use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::api::{
    LifecyclePolicyPreviewStatus, StartLifecyclePolicyPreviewRequest, StartLifecyclePolicyPreviewResponse,
};
use crate::lifecycle::{self, Preview, PreviewStatus, document};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &StartLifecyclePolicyPreviewRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:StartLifecyclePolicyPreview").on(name.arn())
}

/// Starts a preview of a policy: of one that is given, or of the repository's own.
pub(crate) async fn start_lifecycle_policy_preview(
    ecr: &Ecr,
    ctx: &Ctx,
    input: StartLifecyclePolicyPreviewRequest,
) -> Result<StartLifecyclePolicyPreviewResponse, Error> {
    if let Some(text) = &input.lifecycle_policy_text {
        document::parse(text)?;
    }
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let mut attempts = Attempts::new();
    loop {
        let outcome = start(ecr, ctx, &name, input.lifecycle_policy_text.as_deref()).await;
        if !attempts.again(&outcome) {
            return Ok(StartLifecyclePolicyPreviewResponse {
                lifecycle_policy_text: Some(outcome?),
                registry_id: Some(name.registry.to_string()),
                repository_name: Some(name.name),
                status: Some(LifecyclePolicyPreviewStatus::InProgress),
            });
        }
    }
}

async fn start(ecr: &Ecr, ctx: &Ctx, name: &RepositoryName, given: Option<&str>) -> Result<String, Error> {
    let store = &ecr.platform.store;
    let repository = repository::find(store, name.clone()).await?;
    let text = match given {
        Some(text) => text.to_owned(),
        None => lifecycle::find(store, &repository).await?.value.text,
    };
    let (scope, id) = (&repository.record.scope, [repository.id()]);
    let found: Option<Versioned<Preview>> = store.read(scope, &id).await?;
    let preview = Preview {
        id: base::ids::hex32(&*ecr.platform.rng),
        text: text.clone(),
        started: ctx.now,
        status: PreviewStatus::InProgress,
    };
    let mut tx = Tx::new();
    tx.require(&repository.record);
    match &found {
        Some(present) if present.status == PreviewStatus::InProgress => {
            return Err(Error::PreviewInProgress(repository.name));
        }
        Some(present) => tx.replace(present, &preview),
        None => tx.insert(scope, &id, &preview),
    };
    store.commit(tx).await?;
    Ok(text)
}
