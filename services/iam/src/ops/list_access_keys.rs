//! Lists a user's access keys, without their secrets.

use std::collections::BTreeMap;

use platform::{Access, Ctx};

use crate::access_key::{owner_access, status};
use crate::api::{AccessKeyMetadata, ListAccessKeysRequest, ListAccessKeysResponse};
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &ListAccessKeysRequest) -> Access {
    owner_access(ctx, "iam:ListAccessKeys", input.user_name.as_deref())
}

pub(crate) async fn list_access_keys(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAccessKeysRequest,
) -> Result<ListAccessKeysResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListAccessKeys", input.marker.as_deref(), input.max_items)?;
    let user = iam.key_owner(ctx, input.user_name.as_deref()).await?;
    let mut keys = BTreeMap::new();
    for id in &user.access_keys {
        if let Some(key) = iam.access_key(id).await? {
            let metadata = AccessKeyMetadata {
                access_key_id: Some(key.value.id.clone()),
                create_date: Some(key.value.created),
                status: Some(status(key.status)),
                user_name: Some(user.identity.name.clone()),
            };
            keys.insert(key.value.id.clone(), metadata);
        }
    }
    let page = request.of(keys);
    Ok(ListAccessKeysResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        access_key_metadata: page.items,
    })
}
