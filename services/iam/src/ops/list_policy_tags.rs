//! Lists the tags of a managed policy.

use platform::Ctx;

use crate::api::{ListPolicyTagsRequest, ListPolicyTagsResponse};
use crate::page::PageRequest;
use crate::managed_policy::Policy;
use crate::{Error, Iam};

pub(crate) async fn list_policy_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPolicyTagsRequest,
) -> Result<ListPolicyTagsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListPolicyTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<Policy>(ctx, &input.policy_arn, request).await?;
    Ok(ListPolicyTagsResponse { is_truncated: page.is_truncated(), marker: page.marker, tags: page.items })
}
