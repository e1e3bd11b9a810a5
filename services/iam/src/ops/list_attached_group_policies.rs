//! Lists the managed policies that are attached to a group.

use platform::{Access, Ctx};

use crate::api::{ListAttachedGroupPoliciesRequest, ListAttachedGroupPoliciesResponse};
use crate::entity::Noun;
use crate::group::Group;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListAttachedGroupPoliciesRequest) -> Access {
    Access::to("iam:ListAttachedGroupPolicies").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn list_attached_group_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedGroupPoliciesRequest,
) -> Result<ListAttachedGroupPoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListAttachedGroupPolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.attached::<Group>(ctx, &input.group_name, input.path_prefix.as_deref(), request).await?;
    Ok(ListAttachedGroupPoliciesResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        attached_policies: Some(page.items),
    })
}
