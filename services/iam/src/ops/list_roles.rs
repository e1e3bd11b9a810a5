//! Lists the account's roles.

use platform::{Access, Ctx};

use crate::api::{ListRolesRequest, ListRolesResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListRolesRequest) -> Access {
    Access::to("iam:ListRoles").on(Noun::Role.placed(ctx, input.path_prefix.as_deref(), ""))
}

pub(crate) async fn list_roles(iam: &Iam, ctx: &Ctx, input: ListRolesRequest) -> Result<ListRolesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListRoles", input.marker.as_deref(), input.max_items)?;
    let page =
        iam.entities::<Role>(request, input.path_prefix.as_deref()).await?.map(|role| role.listed(ctx.account()));
    Ok(ListRolesResponse { is_truncated: page.is_truncated(), marker: page.marker, roles: page.items })
}
