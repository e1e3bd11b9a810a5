//! UntagResource.

use platform::tags::KeyCase;
use platform::{Access, Ctx};

use crate::api::{UntagResourceRequest, UntagResourceResponse};
use crate::names::of_resource_arn;
use crate::repository::{self, Repository};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &UntagResourceRequest) -> Access {
    let keys = input.tag_keys.iter().map(String::as_str);
    Access::to("ecr:UntagResource").on(&input.resource_arn).tag_keys(keys)
}

/// Removes tags from a repository. Keys that it has not are passed over.
pub(crate) async fn untag_resource(
    ecr: &Ecr,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let name = of_resource_arn(ctx, &input.resource_arn)?;
    let change = |repository: &mut Repository| {
        repository.tags.remove(&input.tag_keys, KeyCase::Kept);
        Ok(())
    };
    repository::update(&ecr.platform.store, &name, change).await?;
    Ok(UntagResourceResponse {})
}
