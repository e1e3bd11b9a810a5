//! GetAccountSetting.

use platform::{Access, Ctx};

use crate::account_setting::{AccountSettingName, effective};
use crate::api::{GetAccountSettingRequest, GetAccountSettingResponse};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &GetAccountSettingRequest) -> Access {
    Access::to("ecr:GetAccountSetting").key("ecr:AccountSetting", &input.name)
}

/// Answers what a setting is: what somebody has chosen, else AWS's own value.
pub(crate) async fn get_account_setting(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetAccountSettingRequest,
) -> Result<GetAccountSettingResponse, Error> {
    let setting = AccountSettingName::admit(&input.name)?;
    let value = effective(&ecr.platform.store, &ctx.scope(), setting).await?;
    Ok(GetAccountSettingResponse { name: Some(input.name), value: Some(value) })
}
