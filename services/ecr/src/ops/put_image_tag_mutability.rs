//! PutImageTagMutability.

use platform::{Access, Ctx};

use crate::api::{PutImageTagMutabilityRequest, PutImageTagMutabilityResponse};
use crate::names::RepositoryName;
use crate::repository::{self, TagMutability};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutImageTagMutabilityRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:PutImageTagMutability").on(name.arn())
}

/// Says whether the tags of a repository may be moved, and which of them make an exception.
pub(crate) async fn put_image_tag_mutability(
    ecr: &Ecr,
    ctx: &Ctx,
    input: PutImageTagMutabilityRequest,
) -> Result<PutImageTagMutabilityResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let (mode, filters) = (input.image_tag_mutability, input.image_tag_mutability_exclusion_filters);
    let mutability = TagMutability::admit(Some(mode), filters)?;
    let change = |repository: &mut repository::Repository| {
        repository.mutability = mutability.clone();
        Ok(())
    };
    repository::update(&ecr.platform.store, &name, change).await?;
    let filters = mutability.describe_filters();
    Ok(PutImageTagMutabilityResponse {
        registry_id: Some(name.registry.to_string()),
        repository_name: Some(name.name),
        image_tag_mutability: Some(mutability.describe()),
        image_tag_mutability_exclusion_filters: (!filters.is_empty()).then_some(filters),
    })
}
