//! UntagResource.

use platform::tags::KeyCase;
use platform::{Access, Ctx};

use crate::api::UntagResourceRequest;
use crate::function::{change_tags, tagged};
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &UntagResourceRequest) -> Access {
    Access::to("lambda:UntagResource").on(input.resource.as_str()).tag_keys(input.tag_keys.iter().map(String::as_str))
}

/// Takes tags from a function.
pub(crate) async fn untag_resource(lambda: &Lambda, ctx: &Ctx, input: UntagResourceRequest) -> Result<(), Error> {
    let name = tagged(ctx, &input.resource)?;
    change_tags(lambda, &name, |tags| {
        tags.remove(&input.tag_keys, KeyCase::Kept);
        Ok(())
    })
    .await
}
