//! Lists the account's instance profiles.

use platform::{Access, Ctx};

use crate::api::{ListInstanceProfilesRequest, ListInstanceProfilesResponse};
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListInstanceProfilesRequest) -> Access {
    Access::to("iam:ListInstanceProfiles").on(Noun::InstanceProfile.placed(ctx, input.path_prefix.as_deref(), ""))
}

pub(crate) async fn list_instance_profiles(
    iam: &Iam,
    ctx: &Ctx,
    input: ListInstanceProfilesRequest,
) -> Result<ListInstanceProfilesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListInstanceProfiles", input.marker.as_deref(), input.max_items)?;
    let page = iam.entities::<InstanceProfile>(request, input.path_prefix.as_deref()).await?;
    let is_truncated = page.is_truncated();
    let instance_profiles = iam.instance_profile_views(ctx, &page.items).await?;
    Ok(ListInstanceProfilesResponse { instance_profiles, is_truncated, marker: page.marker })
}
