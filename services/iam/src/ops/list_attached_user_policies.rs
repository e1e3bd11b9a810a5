//! Lists the managed policies that are attached to a user.

use platform::{Access, Ctx};

use crate::api::{ListAttachedUserPoliciesRequest, ListAttachedUserPoliciesResponse};
use crate::entity::Noun;
use crate::page::PageRequest;
use crate::user::User;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListAttachedUserPoliciesRequest) -> Access {
    Access::to("iam:ListAttachedUserPolicies").on(Noun::User.named(ctx, &input.user_name))
}

pub(crate) async fn list_attached_user_policies(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAttachedUserPoliciesRequest,
) -> Result<ListAttachedUserPoliciesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListAttachedUserPolicies", input.marker.as_deref(), input.max_items)?;
    let page = iam.attached::<User>(ctx, &input.user_name, input.path_prefix.as_deref(), request).await?;
    Ok(ListAttachedUserPoliciesResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        attached_policies: Some(page.items),
    })
}
