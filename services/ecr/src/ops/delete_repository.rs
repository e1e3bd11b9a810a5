//! DeleteRepository.

use platform::{Access, Attempts, Ctx};
use store::{ListOptions, Tx};

use crate::api::{DeleteRepositoryRequest, DeleteRepositoryResponse};
use crate::image::Manifest;
use crate::names::RepositoryName;
use crate::reconcile::deletion;
use crate::repository::{self, Repository};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteRepositoryRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:DeleteRepository").on(name.arn())
}

/// Deletes a repository; one that has images only if that is forced.
pub(crate) async fn delete_repository(
    ecr: &Ecr,
    ctx: &Ctx,
    input: DeleteRepositoryRequest,
) -> Result<DeleteRepositoryResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let is_forced = input.force == Some(true);
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(ecr, ctx, &name, is_forced).await;
        if !attempts.again(&outcome) {
            let repository = ecr.describe(ctx, &name, &outcome?);
            return Ok(DeleteRepositoryResponse { repository: Some(repository) });
        }
    }
}

/// What was in the repository goes later.
async fn delete(ecr: &Ecr, ctx: &Ctx, name: &RepositoryName, is_forced: bool) -> Result<Repository, Error> {
    let store = &ecr.platform.store;
    let found = repository::find(store, name.clone()).await?;
    let scope = &found.record.scope;
    let mut tx = Tx::new();
    if !is_forced {
        let id_prefix = &[found.id()];
        let options = ListOptions { id_prefix, limit: 1, ..ListOptions::default() };
        if !store.list::<Manifest>(scope, options).await?.items.is_empty() {
            return Err(Error::RepositoryNotEmpty(found.name));
        }
        tx.require_none::<Manifest>(scope, id_prefix);
    }
    tx.remove(&found.record);
    deletion::schedule(&mut tx, &found, ctx.now);
    store.commit(tx).await?;
    Ok(found.record.value)
}
