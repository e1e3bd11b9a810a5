//! Adds tags to an instance profile.

use platform::Ctx;

use crate::api::TagInstanceProfileRequest;
use crate::instance_profile::InstanceProfile;
use crate::{Error, Iam};

pub(crate) async fn tag_instance_profile(iam: &Iam, ctx: &Ctx, input: TagInstanceProfileRequest) -> Result<(), Error> {
    iam.tag::<InstanceProfile>(ctx, &input.instance_profile_name, &input.tags).await
}
