//! Puts a role into an instance profile that has none.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::AddRoleToInstanceProfileRequest;
use crate::entity::{Entity, Noun};
use crate::instance_profile::InstanceProfile;
use crate::limits::ROLES_PER_INSTANCE_PROFILE;
use crate::names::folded;
use crate::role::Role;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &AddRoleToInstanceProfileRequest) -> Access {
    Access::to("iam:AddRoleToInstanceProfile")
        .on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
        .pass_role(Some(&Noun::Role.named(ctx, &input.role_name)), "ec2.amazonaws.com")
}

pub(crate) async fn add_role_to_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: AddRoleToInstanceProfileRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let profile = iam.find::<InstanceProfile>(ctx, &input.instance_profile_name).await?;
        let role = iam.find::<Role>(ctx, &input.role_name).await?;
        role.check_modifiable()?;
        if profile.role.is_some() {
            return Err(Error::Quota { quota: "InstanceSessionsPerInstanceProfile", max: ROLES_PER_INSTANCE_PROFILE });
        }
        let (mut filled, mut placed) = (profile.value.clone(), role.value.clone());
        filled.role = Some(role.identity.name.clone());
        placed.instance_profiles.insert(folded(&profile.identity.name));
        let mut tx = Tx::new();
        tx.replace(&profile, &filled).replace(&role, &placed);
        Ok((tx, ()))
    })
    .await
}
