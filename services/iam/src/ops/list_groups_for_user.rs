//! Lists the groups that a user is in.

use std::collections::BTreeMap;

use platform::{Access, Ctx};

use crate::api::{ListGroupsForUserRequest, ListGroupsForUserResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListGroupsForUserRequest) -> Access {
    Access::to("iam:ListGroupsForUser").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn list_groups_for_user(
    iam: &Iam,
    ctx: &Ctx,
    input: ListGroupsForUserRequest,
) -> Result<ListGroupsForUserResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListGroupsForUser", input.marker.as_deref(), input.max_items)?;
    let user = iam.find::<User>(ctx, &input.user_name).await?;
    let groups = iam.groups_of(ctx.account(), &user).await?;
    let views = groups.iter().map(|group| (group.identity.name.clone(), group.view(ctx.account())));
    let page = request.of(views.collect::<BTreeMap<_, _>>());
    Ok(ListGroupsForUserResponse { is_truncated: page.is_truncated(), marker: page.marker, groups: page.items })
}
