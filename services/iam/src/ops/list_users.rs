//! Lists the account's users.

use platform::{Access, Ctx};

use crate::api::{ListUsersRequest, ListUsersResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListUsersRequest) -> Access {
    Access::to("iam:ListUsers").on(Noun::User.placed(ctx, input.path_prefix.as_deref(), ""))
}

pub(crate) async fn list_users(iam: &Iam, ctx: &Ctx, input: ListUsersRequest) -> Result<ListUsersResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListUsers", input.marker.as_deref(), input.max_items)?;
    let page =
        iam.entities::<User>(request, input.path_prefix.as_deref()).await?.map(|user| user.listed(ctx.account()));
    Ok(ListUsersResponse { is_truncated: page.is_truncated(), marker: page.marker, users: page.items })
}
