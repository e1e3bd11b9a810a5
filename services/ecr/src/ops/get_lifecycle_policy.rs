//! GetLifecyclePolicy.

use platform::{Access, Ctx};

use crate::api::{GetLifecyclePolicyRequest, GetLifecyclePolicyResponse};
use crate::names::RepositoryName;
use crate::{Ecr, Error, lifecycle, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetLifecyclePolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:GetLifecyclePolicy").on(name.arn())
}

/// Answers a repository's lifecycle policy.
pub(crate) async fn get_lifecycle_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetLifecyclePolicyRequest,
) -> Result<GetLifecyclePolicyResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let policy = lifecycle::find(&ecr.platform.store, &repository).await?.value;
    Ok(GetLifecyclePolicyResponse {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name),
        lifecycle_policy_text: Some(policy.text),
        last_evaluated_at: policy.last_evaluated,
    })
}
