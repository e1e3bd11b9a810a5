//! Lists the names of a user's inline policies.

use platform::{Access, Ctx};

use crate::api::{ListUserPoliciesRequest, ListUserPoliciesResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListUserPoliciesRequest) -> Access {
    Access::to("iam:ListUserPolicies").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn list_user_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListUserPoliciesRequest,
) -> Result<ListUserPoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListUserPolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.inline_names::<User>(ctx, &input.user_name, request).await?;
    Ok(ListUserPoliciesResponse { is_truncated: page.is_truncated(), marker: page.marker, policy_names: page.items })
}
