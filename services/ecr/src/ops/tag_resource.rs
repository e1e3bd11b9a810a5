//! TagResource.

use platform::{Access, Ctx};

use crate::api::{TagResourceRequest, TagResourceResponse};
use crate::names::of_resource_arn;
use crate::repository::{self, Repository};
use crate::{Ecr, Error, tags};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &TagResourceRequest) -> Access {
    Access::to("ecr:TagResource").on(&input.resource_arn).request_tags(tags::pairs(Some(&input.tags)))
}

/// Adds tags to a repository; those that it has get new values.
pub(crate) async fn tag_resource(
    ecr: &Ecr,
    ctx: &Ctx,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, Error> {
    let name = of_resource_arn(ctx, &input.resource_arn)?;
    let added = tags::admit(Some(input.tags))?;
    let change = |repository: &mut Repository| tags::merge(&mut repository.tags, &added);
    repository::update(&ecr.platform.store, &name, change).await?;
    Ok(TagResourceResponse {})
}
