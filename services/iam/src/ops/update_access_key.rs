//! Switches an access key on or off.

use platform::identity::{AccessKey, KeyStatus};
use platform::{Access, Ctx};
use store::Tx;

use crate::access_key::owner_access;
use crate::api::{StatusType, UpdateAccessKeyRequest};
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &UpdateAccessKeyRequest) -> Access {
    owner_access(ctx, "iam:UpdateAccessKey", input.user_name.as_deref())
}

pub(crate) async fn update_access_key(iam: &Iam, ctx: &Ctx, input: UpdateAccessKeyRequest) -> Result<(), Error> {
    let status = match input.status {
        StatusType::Active => KeyStatus::Active,
        StatusType::Inactive => KeyStatus::Inactive,
        StatusType::Expired => return Err(Error::InvalidKeyStatus { status: input.status.as_str() }),
    };
    iam.transact(|| async {
        let user = iam.key_owner(ctx, input.user_name.as_deref()).await?;
        let key = iam.key_of(&user, &input.access_key_id).await?;
        let mut tx = Tx::new();
        tx.replace(&key, &AccessKey { status, ..key.value.clone() });
        Ok((tx, ()))
    })
    .await
}
