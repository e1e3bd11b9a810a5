//! Answers a group and its users.

use platform::{Access, Ctx};

use crate::api::{GetGroupRequest, GetGroupResponse};
use crate::entity::Noun;
use crate::group::Group;
use crate::page::PageRequest;
use crate::user::{BY_GROUP, User};
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetGroupRequest) -> Access {
    Access::to("iam:GetGroup").on(Noun::Group.named(ctx, &input.group_name))
}

pub(crate) async fn get_group(iam: &Iam, ctx: &Ctx, input: GetGroupRequest) -> Result<GetGroupResponse, Error> {
    let request = PageRequest::new(iam, ctx, "GetGroup", input.marker.as_deref(), input.max_items)?;
    let group = iam.find::<Group>(ctx, &input.group_name).await?;
    let page = request.scan_by::<User>(BY_GROUP, &group.identity.id).await?;
    let page = page.map(|user| user.listed(ctx.account()));
    Ok(GetGroupResponse {
        group: group.view(ctx.account()),
        is_truncated: page.is_truncated(),
        marker: page.marker,
        users: page.items,
    })
}
