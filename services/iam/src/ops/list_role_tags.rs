//! Lists the tags of a role.

use platform::{Access, Ctx};

use crate::api::{ListRoleTagsRequest, ListRoleTagsResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListRoleTagsRequest) -> Access {
    Access::to("iam:ListRoleTags").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn list_role_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListRoleTagsRequest,
) -> Result<ListRoleTagsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListRoleTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<Role>(ctx, &input.role_name, request).await?;
    Ok(ListRoleTagsResponse { is_truncated: page.is_truncated(), marker: page.marker, tags: page.items })
}
