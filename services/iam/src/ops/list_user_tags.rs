//! Lists the tags of a user.

use platform::{Access, Ctx};

use crate::api::{ListUserTagsRequest, ListUserTagsResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListUserTagsRequest) -> Access {
    Access::to("iam:ListUserTags").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn list_user_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListUserTagsRequest,
) -> Result<ListUserTagsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListUserTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<User>(ctx, &input.user_name, request).await?;
    Ok(ListUserTagsResponse { is_truncated: page.is_truncated(), marker: page.marker, tags: page.items })
}
