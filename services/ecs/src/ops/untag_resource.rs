//! UntagResource.

use platform::Ctx;

use crate::api::{UntagResourceRequest, UntagResourceResponse};
use crate::ops::tag_resource::change;
use crate::resource::resource;
use crate::{Ecs, Error};

/// Removes tags from a resource. Keys that it has not are passed over.
pub(crate) async fn untag_resource(
    ecs: &Ecs,
    ctx: &Ctx,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, Error> {
    let target = resource(ctx, &input.resource_arn)?;
    let remove = |tags: &mut crate::Tags| {
        tags.remove(&input.tag_keys);
        Ok(())
    };
    change(&ecs.platform.store, &ctx.scope(), &target, remove).await?;
    Ok(UntagResourceResponse {})
}
