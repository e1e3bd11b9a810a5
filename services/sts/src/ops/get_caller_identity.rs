//! Tells who the caller is. Nobody is denied this.

use platform::{Access, Ctx};

use crate::api::{GetCallerIdentityRequest, GetCallerIdentityResponse};
use crate::{Error, Sts};

pub(crate) fn access(_ctx: &Ctx, _input: &GetCallerIdentityRequest) -> Access {
    Access::open()
}

pub(crate) async fn get_caller_identity(
    _sts: &Sts,
    ctx: &Ctx,
    _input: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, Error> {
    Ok(GetCallerIdentityResponse {
        account: Some(ctx.account().to_string()),
        arn: Some(ctx.principal.arn.to_string()),
        user_id: Some(ctx.principal.user_id.clone()),
    })
}
