//! SetRepositoryPolicy.

use std::sync::Arc;

use platform::{Access, Ctx, Facts};
use policy::{Document, Policy};

use crate::api::{SetRepositoryPolicyRequest, SetRepositoryPolicyResponse};
use crate::names::RepositoryName;
use crate::registry_policy::parse_of_repository;
use crate::repository::{self, Repository};
use crate::{Ecr, Error};

/// What it asks for.
const ACTION: &str = "ecr:SetRepositoryPolicy";

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &SetRepositoryPolicyRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to(ACTION).on(name.arn())
}

/// Sets a repository's policy. One that would keep the caller from setting another has to be forced.
pub(crate) async fn set_repository_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    input: SetRepositoryPolicyRequest,
) -> Result<SetRepositoryPolicyResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let document = parse_of_repository(&input.policy_text)?;
    if input.force != Some(true) && locks_out(ctx, &name, document) {
        return Err(Error::PolicyLocksOut(name));
    }
    let text = input.policy_text;
    let change = |repository: &mut Repository| {
        repository.policy = Some(text.clone());
        Ok(())
    };
    repository::update(&ecr.platform.store, &name, change).await?;
    Ok(SetRepositoryPolicyResponse {
        registry_id: Some(name.registry.to_string()),
        repository_name: Some(name.name),
        policy_text: Some(text),
    })
}

/// Whether the caller, who may set the policy now, could no longer do so under this one.
fn locks_out(ctx: &Ctx, name: &RepositoryName, document: Document) -> bool {
    let policy = Some(Arc::new(Policy::new("repository policy", document)));
    let facts = Facts { owner: Some(name.registry), policy, ..Facts::default() };
    ctx.authorize_with(&Access::to(ACTION).on(name.arn()), &facts).is_err()
}
