//! DeleteRepositoryPolicy.

use platform::{Access, Ctx};

use crate::api::{DeleteRepositoryPolicyRequest, DeleteRepositoryPolicyResponse};
use crate::names::RepositoryName;
use crate::repository::{self, Repository};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DeleteRepositoryPolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:DeleteRepositoryPolicy").on(name.arn())
}

/// Deletes a repository's policy, and answers what it was.
pub(crate) async fn delete_repository_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: DeleteRepositoryPolicyRequest,
) -> Result<DeleteRepositoryPolicyResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let mut deleted = None;
    let change = |repository: &mut Repository| {
        deleted = repository.policy.take();
        if deleted.is_some() { Ok(()) } else { Err(Error::RepositoryPolicyNotFound(name.clone())) }
    };
    repository::update(&ecr.platform.store, &name, change).await?;
    Ok(DeleteRepositoryPolicyResponse {
        registry_id: Some(name.registry.to_string()),
        repository_name: Some(name.name),
        policy_text: deleted,
    })
}
