//! Answers an instance profile with its role and its tags, be it none.

use platform::{Access, Ctx};

use crate::api::{GetInstanceProfileRequest, GetInstanceProfileResponse, InstanceProfile as InstanceProfileView};
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &GetInstanceProfileRequest) -> Access {
    Access::to("iam:GetInstanceProfile").on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
}

pub(crate) async fn get_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: GetInstanceProfileRequest,
) -> Result<GetInstanceProfileResponse, Error> {
    let profile = iam.find::<InstanceProfile>(ctx, &input.instance_profile_name).await?;
    let view = iam.instance_profile_view(ctx, &profile).await?;
    let instance_profile = InstanceProfileView { tags: Some(profile.value.identity.tags), ..view };
    Ok(GetInstanceProfileResponse { instance_profile })
}
