//! Lists the names of a group's inline policies.

use platform::{Access, Ctx};

use crate::api::{ListGroupPoliciesRequest, ListGroupPoliciesResponse};
use crate::entity::Noun;
use crate::group::Group;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListGroupPoliciesRequest) -> Access {
    Access::to("iam:ListGroupPolicies").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn list_group_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListGroupPoliciesRequest,
) -> Result<ListGroupPoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListGroupPolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.inline_names::<Group>(ctx, &input.group_name, request).await?;
    Ok(ListGroupPoliciesResponse { is_truncated: page.is_truncated(), marker: page.marker, policy_names: page.items })
}
