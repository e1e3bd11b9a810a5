//! Lists the tags of an instance profile.

use platform::{Access, Ctx};

use crate::api::{ListInstanceProfileTagsRequest, ListInstanceProfileTagsResponse};
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListInstanceProfileTagsRequest) -> Access {
    Access::to("iam:ListInstanceProfileTags").on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
}

pub(crate) async fn list_instance_profile_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfileTagsRequest,
) -> Result<ListInstanceProfileTagsResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListInstanceProfileTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<InstanceProfile>(ctx, &input.instance_profile_name, request).await?;
    Ok(ListInstanceProfileTagsResponse { is_truncated: page.is_truncated(), marker: page.marker, tags: page.items })
}
