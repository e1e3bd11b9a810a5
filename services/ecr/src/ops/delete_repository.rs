//! DeleteRepository.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{DeleteRepositoryRequest, DeleteRepositoryResponse};
use crate::contention::Attempts;
use crate::names::RepositoryName;
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
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(ecr, &name).await;
        if !attempts.again(&outcome) {
            let repository = ecr.describe(ctx, &name, &outcome?);
            return Ok(DeleteRepositoryResponse { repository: Some(repository) });
        }
    }
}

async fn delete(ecr: &Ecr, name: &RepositoryName) -> Result<Repository, Error> {
    let store = &ecr.platform.store;
    let found = repository::find(store, name.clone()).await?;
    let mut tx = Tx::new();
    tx.remove(&found.record);
    store.commit(tx).await?;
    Ok(found.record.value)
}
