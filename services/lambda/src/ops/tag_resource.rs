//! TagResource.

use platform::{Access, Ctx};

use crate::api::TagResourceRequest;
use crate::function::{change_tags, tagged};
use crate::{Error, Lambda, tags};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &TagResourceRequest) -> Access {
    Access::to("lambda:TagResource").on(input.resource.as_str()).request_tags(tags::pairs(Some(&input.tags)))
}

/// Adds tags to a function.
pub(crate) async fn tag_resource(lambda: &Lambda, ctx: &Ctx, input: TagResourceRequest) -> Result<(), Error> {
    if input.tags.is_empty() {
        return Err(Error::Parameter("An error occurred and the request cannot be processed.".to_owned()));
    }
    let name = tagged(ctx, &input.resource)?;
    let added = tags::admit(Some(input.tags))?;
    change_tags(lambda, &name, |tags| tags::merge(tags, &added)).await
}
