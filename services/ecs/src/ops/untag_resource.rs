//! UntagResource.

use platform::{Access, Ctx};

use crate::api::{UntagResourceRequest, UntagResourceResponse};
use crate::ops::tag_resource::change;
use crate::resource::resource;
use crate::{Ecs, Error, access};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UntagResourceRequest) -> Access {
    Access::to("ecs:UntagResource")
        .on(access::tagged(ctx, &input.resource_arn))
        .tag_keys(input.tag_keys.iter().map(String::as_str))
}

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
