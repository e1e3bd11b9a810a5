//! Removes tags from an instance profile.

use platform::{Access, Ctx};

use crate::api::UntagInstanceProfileRequest;
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UntagInstanceProfileRequest) -> Access {
    Access::to("iam:UntagInstanceProfile")
        .on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
        .tag_keys(input.tag_keys.iter().map(String::as_str))
}

pub(crate) async fn untag_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: UntagInstanceProfileRequest,
) -> Result<(), Error> {
    iam.untag::<InstanceProfile>(ctx, &input.instance_profile_name, &input.tag_keys).await
}
