//! Removes tags from an instance profile.

use platform::Ctx;

use crate::api::UntagInstanceProfileRequest;
use crate::instance_profile::InstanceProfile;
use crate::{Error, Iam};

pub(crate) async fn untag_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: UntagInstanceProfileRequest,
) -> Result<(), Error> {
    iam.untag::<InstanceProfile>(ctx, &input.instance_profile_name, &input.tag_keys).await
}
