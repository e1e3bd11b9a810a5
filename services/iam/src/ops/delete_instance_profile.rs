//! Removes an instance profile that has no role.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteInstanceProfileRequest;
use crate::entity::Noun;
use crate::error::DeleteConflict;
use crate::instance_profile::InstanceProfile;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteInstanceProfileRequest) -> Access {
    Access::to("iam:DeleteInstanceProfile").on(Noun::InstanceProfile.named(ctx, &input.instance_profile_name))
}

pub(crate) async fn delete_instance_profile(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteInstanceProfileRequest,
) -> Result<(), Error> {
    iam.transact(|| async {
        let profile = iam.find::<InstanceProfile>(ctx, &input.instance_profile_name).await?;
        if profile.role.is_some() {
            return Err(DeleteConflict::InstanceProfile.into());
        }
        let mut tx = Tx::new();
        tx.remove(&profile);
        Ok((tx, ()))
    })
    .await?;
    iam.note_gone(ctx, Noun::InstanceProfile);
    Ok(())
}
