//! Adds tags to an instance profile.

use platform::{Access, Ctx};

use crate::api::TagInstanceProfileRequest;
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &TagInstanceProfileRequest) -> Access {
    Access::to("iam:TagInstanceProfile")
        .on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
        .request_tags(pairs(&input.tags))
}

pub(crate) async fn tag_instance_profile(iam: &Iam, ctx: &Ctx, input: TagInstanceProfileRequest) -> Result<(), Error> {
    iam.tag::<InstanceProfile>(ctx, &input.instance_profile_name, &input.tags).await
}
