//! Lists the versions of a managed policy without their texts, the latest first.

use platform::{Access, Ctx};

use crate::api::{ListPolicyVersionsRequest, ListPolicyVersionsResponse};
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &ListPolicyVersionsRequest) -> Access {
    Access::to("iam:ListPolicyVersions").on(&*input.policy_arn)
}

pub(crate) async fn list_policy_versions(
    iam: &Iam,
    ctx: &Ctx,
    input: ListPolicyVersionsRequest,
) -> Result<ListPolicyVersionsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListPolicyVersions", input.marker.as_deref(), input.max_items)?;
    let (_, policy) = iam.readable_policy(ctx, &input.policy_arn).await?;
    let numbered = policy.versions().into_iter().enumerate();
    let page = request.of(numbered.map(|(position, version)| (format!("{position:04}"), version)));
    Ok(ListPolicyVersionsResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        versions: Some(page.items),
    })
}
