//! GetRepositoryPolicy.

use platform::{Access, Ctx};

use crate::api::{GetRepositoryPolicyRequest, GetRepositoryPolicyResponse};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetRepositoryPolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:GetRepositoryPolicy").on(name.arn())
}

/// Answers a repository's policy.
pub(crate) async fn get_repository_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetRepositoryPolicyRequest,
) -> Result<GetRepositoryPolicyResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let found = repository::find(&ecr.platform.store, name).await?;
    let Some(policy_text) = found.record.value.policy else {
        return Err(Error::RepositoryPolicyNotFound(found.name));
    };
    Ok(GetRepositoryPolicyResponse {
        registry_id: Some(found.name.registry.to_string()),
        repository_name: Some(found.name.name),
        policy_text: Some(policy_text),
    })
}
