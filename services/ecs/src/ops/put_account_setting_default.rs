//! PutAccountSettingDefault.

use platform::{Access, Ctx};

use crate::account_setting;
use crate::api::{PutAccountSettingDefaultRequest, PutAccountSettingDefaultResponse};
use crate::ops::put_account_setting::put;
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &PutAccountSettingDefaultRequest) -> Access {
    Access::to("ecs:PutAccountSettingDefault").key("ecs:account-setting", input.name.as_str())
}

/// Sets a setting for everybody in the account who has not set it.
pub(crate) async fn put_account_setting_default(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutAccountSettingDefaultRequest,
) -> Result<PutAccountSettingDefaultResponse, Error> {
    account_setting::admit(input.name, &input.value)?;
    let root = account_setting::root_arn(ctx.account());
    let setting = put(ecs, ctx, input.name, &root, input.value).await?;
    Ok(PutAccountSettingDefaultResponse { setting: Some(setting) })
}
