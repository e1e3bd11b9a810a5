//! GetAccountSettings.

use platform::{Access, Ctx};

use crate::api::{AccountLimit, AccountUsage, GetAccountSettingsRequest, GetAccountSettingsResponse};
use crate::{Error, Lambda, limits, usage};

/// Who may.
pub(crate) fn access(_: &Ctx, _: &GetAccountSettingsRequest) -> Access {
    Access::to("lambda:GetAccountSettings")
}

/// Tells the account's quotas in the region, and what of them is used up.
pub(crate) async fn get_account_settings(
    lambda: &Lambda,
    ctx: &Ctx,
    _: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse, Error> {
    let usage = usage::read(lambda, &ctx.scope()).await?.now;
    let long = |number: u64| i64::try_from(number).ok();
    let number = |number: u32| i32::try_from(number).ok();
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            code_size_unzipped: long(limits::UNZIPPED_BYTES_MAX),
            code_size_zipped: long(limits::ZIPPED_BYTES_MAX),
            concurrent_executions: number(limits::CONCURRENT_EXECUTIONS_MAX),
            total_code_size: long(limits::CODE_BYTES_MAX),
            unreserved_concurrent_executions: number(usage.unclaimed()),
        }),
        account_usage: Some(AccountUsage {
            function_count: long(usage.functions),
            total_code_size: long(usage.code_bytes),
        }),
    })
}
