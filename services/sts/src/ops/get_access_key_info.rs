//! Tells the account of an access key. Temporary keys are not kept, so only the caller's own is known.

use platform::{Access, Ctx};

use crate::api::{GetAccessKeyInfoRequest, GetAccessKeyInfoResponse};
use crate::{Error, Sts};

pub(crate) fn access(_ctx: &Ctx, _input: &GetAccessKeyInfoRequest) -> Access {
    Access::to("sts:GetAccessKeyInfo")
}

pub(crate) async fn get_access_key_info(
    sts: &Sts,
    ctx: &Ctx,
    input: GetAccessKeyInfoRequest,
) -> Result<GetAccessKeyInfoResponse, Error> {
    let id = input.access_key_id;
    let account = if id == ctx.access_key_id {
        Some(ctx.account())
    } else {
        sts.platform.keys.account_of(&sts.platform.store, &id).await?
    };
    let account = account.ok_or(Error::UnknownAccessKey { id })?;
    Ok(GetAccessKeyInfoResponse { account: Some(account.to_string()) })
}
