//! Removes an access key.

use platform::{Access, Ctx};
use store::Tx;

use crate::access_key::owner_access;
use crate::api::DeleteAccessKeyRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &DeleteAccessKeyRequest) -> Access {
    owner_access(ctx, "iam:DeleteAccessKey", input.user_name.as_deref())
}

pub(crate) async fn delete_access_key(iam: &Iam, ctx: &Ctx, input: DeleteAccessKeyRequest) -> Result<(), Error> {
    iam.transact(|| async {
        let old = iam.key_owner(ctx, input.user_name.as_deref()).await?;
        let key = iam.key_of(&old, &input.access_key_id).await?;
        let mut new = old.value.clone();
        new.access_keys.retain(|id| *id != input.access_key_id);
        let mut tx = Tx::new();
        tx.replace(&old, &new);
        tx.remove(&key);
        Ok((tx, ()))
    })
    .await
}
