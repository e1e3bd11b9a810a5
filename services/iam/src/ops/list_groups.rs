//! Lists the account's groups.

use platform::{Access, Ctx};

use crate::api::{ListGroupsRequest, ListGroupsResponse};
use crate::entity::Noun;
use crate::group::Group;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListGroupsRequest) -> Access {
    Access::to("iam:ListGroups").on(Noun::Group.placed(ctx, input.path_prefix.as_deref(), ""))
}

pub(crate) async fn list_groups(iam: &Iam, ctx: &Ctx, input: ListGroupsRequest) -> Result<ListGroupsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListGroups", input.marker.as_deref(), input.max_items)?;
    let page =
        iam.entities::<Group>(request, input.path_prefix.as_deref()).await?.map(|group| group.view(ctx.account()));
    Ok(ListGroupsResponse { is_truncated: page.is_truncated(), marker: page.marker, groups: page.items })
}
