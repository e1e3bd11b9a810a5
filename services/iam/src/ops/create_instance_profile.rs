//! Makes an instance profile without a role.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateInstanceProfileRequest, CreateInstanceProfileResponse, InstanceProfile as InstanceProfileView};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::instance_profile::InstanceProfile;
use crate::tag::{pairs, present};
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateInstanceProfileRequest) -> Access {
    Access::to("iam:CreateInstanceProfile")
        .on(Noun::InstanceProfile.placed(ctx, input.path.as_deref(), &input.instance_profile_name))
        .request_tags(pairs(input.tags.as_deref().unwrap_or_default()))
}

pub(crate) async fn create_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateInstanceProfileRequest,
) -> Result<CreateInstanceProfileResponse, Error> {
    let identity = Identity::new(iam, ctx, InstanceProfile::NOUN, input.instance_profile_name, input.path, input.tags)?;
    let profile = InstanceProfile { identity, role: None };
    iam.check_quota::<InstanceProfile>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<InstanceProfile>(ctx, &profile.identity.name).await?;
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &profile);
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, InstanceProfile::NOUN);
    let view = profile.view(ctx.account(), None);
    let instance_profile = InstanceProfileView { tags: present(&profile.identity.tags), ..view };
    Ok(CreateInstanceProfileResponse { instance_profile })
}
