//! ListTags.

use platform::{Access, Ctx};

use crate::api::{ListTagsRequest, ListTagsResponse};
use crate::function::{find, tagged};
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &ListTagsRequest) -> Access {
    Access::to("lambda:ListTags").on(input.resource.as_str())
}

/// Tells a function's tags.
pub(crate) async fn list_tags(lambda: &Lambda, ctx: &Ctx, input: ListTagsRequest) -> Result<ListTagsResponse, Error> {
    let function = find(lambda, &tagged(ctx, &input.resource)?).await?;
    Ok(ListTagsResponse { tags: Some(function.value.tags.into_iter().collect()) })
}
