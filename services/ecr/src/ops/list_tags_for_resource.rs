//! ListTagsForResource.

use platform::{Access, Ctx};

use crate::api::{ListTagsForResourceRequest, ListTagsForResourceResponse};
use crate::names::of_resource_arn;
use crate::{Ecr, Error, repository, tags};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &ListTagsForResourceRequest) -> Access {
    Access::to("ecr:ListTagsForResource").on(&input.resource_arn)
}

/// Lists the tags of a repository.
pub(crate) async fn list_tags_for_resource(
    ecr: &Ecr,
    ctx: &Ctx,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, Error> {
    let name = of_resource_arn(ctx, &input.resource_arn)?;
    let found = repository::find(&ecr.platform.store, name).await?;
    Ok(ListTagsForResourceResponse { tags: Some(tags::into_api(found.record.value.tags)) })
}
