//! Makes an access key. Its secret is shown this once.

use platform::identity::new_access_key;
use platform::{Access, Ctx};
use store::{Scope, Tx};

use crate::access_key::{owner_access, status};
use crate::api::{AccessKey as AccessKeyView, CreateAccessKeyRequest, CreateAccessKeyResponse};
use crate::entity::instant;
use crate::limits::ACCESS_KEYS_PER_USER;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateAccessKeyRequest) -> Access {
    owner_access(ctx, "iam:CreateAccessKey", input.user_name.as_deref())
}

pub(crate) async fn create_access_key(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateAccessKeyRequest,
) -> Result<CreateAccessKeyResponse, Error> {
    let (user_name, key) = iam
        .transact(|| async {
            let old = iam.key_owner(ctx, input.user_name.as_deref()).await?;
            if old.access_keys.len() >= ACCESS_KEYS_PER_USER {
                return Err(Error::Quota { quota: "AccessKeysPerUser", max: ACCESS_KEYS_PER_USER });
            }
            let key = new_access_key(&iam.platform, old.principal(ctx.account()), instant(ctx));
            let mut new = old.value.clone();
            new.access_keys.push(key.record.id.clone());
            let mut tx = Tx::new();
            tx.replace(&old, &new);
            tx.insert(&Scope::system(), &[&key.record.id], &key.record);
            Ok((tx, (new.identity.name, key)))
        })
        .await?;
    let access_key = AccessKeyView {
        access_key_id: key.record.id,
        create_date: Some(key.record.created),
        secret_access_key: key.secret.expose().to_owned(),
        status: status(key.record.status),
        user_name,
    };
    Ok(CreateAccessKeyResponse { access_key })
}
