//! Lists the managed policies that are attached to a role.

use platform::{Access, Ctx};

use crate::api::{ListAttachedRolePoliciesRequest, ListAttachedRolePoliciesResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListAttachedRolePoliciesRequest) -> Access {
    Access::to("iam:ListAttachedRolePolicies").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn list_attached_role_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedRolePoliciesRequest,
) -> Result<ListAttachedRolePoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListAttachedRolePolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.attached::<Role>(ctx, &input.role_name, input.path_prefix.as_deref(), request).await?;
    Ok(ListAttachedRolePoliciesResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        attached_policies: Some(page.items),
    })
}
