//! Takes a role out of an instance profile.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::RemoveRoleFromInstanceProfileRequest;
use crate::entity::Noun;
use crate::instance_profile::InstanceProfile;
use crate::names::folded;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &RemoveRoleFromInstanceProfileRequest) -> Access {
    Access::to("iam:RemoveRoleFromInstanceProfile").on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
}

pub(crate) async fn remove_role_from_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: RemoveRoleFromInstanceProfileRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let profile = iam.find::<InstanceProfile>(ctx, &input.instance_profile_name).await?;
        let role = iam.find::<Role>(ctx, &input.role_name).await?;
        if !profile.holds(&role.identity.name) {
            let (role, instance_profile) = (input.role_name.clone(), input.instance_profile_name.clone());
            return Err(Error::RoleNotInInstanceProfile { role, instance_profile });
        }
        let (mut emptied, mut freed) = (profile.value.clone(), role.value.clone());
        emptied.role = None;
        freed.instance_profiles.remove(&folded(&profile.identity.name));
        let mut tx = Tx::new();
        tx.replace(&profile, &emptied).replace(&role, &freed);
        Ok((tx, ()))
    })
    .await
}
