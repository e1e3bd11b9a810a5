//! Lists the tags of a managed policy.

use platform::{Access, Ctx};

use crate::api::{ListPolicyTagsRequest, ListPolicyTagsResponse};
use crate::managed_policy::Policy;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &ListPolicyTagsRequest) -> Access {
    Access::to("iam:ListPolicyTags").on(&*input.policy_arn)
}

pub(crate) async fn list_policy_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPolicyTagsRequest,
) -> Result<ListPolicyTagsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListPolicyTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<Policy>(ctx, &input.policy_arn, request).await?;
    Ok(ListPolicyTagsResponse { is_truncated: page.is_truncated(), marker: page.marker, tags: page.items })
}
