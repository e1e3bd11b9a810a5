//! Lists the names of a role's inline policies.

use platform::{Access, Ctx};

use crate::api::{ListRolePoliciesRequest, ListRolePoliciesResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListRolePoliciesRequest) -> Access {
    Access::to("iam:ListRolePolicies").on(Noun::Role.named(ctx, &input.role_name))
}

pub(crate) async fn list_role_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListRolePoliciesRequest,
) -> Result<ListRolePoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListRolePolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.inline_names::<Role>(ctx, &input.role_name, request).await?;
    Ok(ListRolePoliciesResponse { is_truncated: page.is_truncated(), marker: page.marker, policy_names: page.items })
}
