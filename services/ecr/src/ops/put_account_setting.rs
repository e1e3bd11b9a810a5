//! PutAccountSetting.

use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::account_setting::{AccountSetting, AccountSettingName};
use crate::api::{PutAccountSettingRequest, PutAccountSettingResponse};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &PutAccountSettingRequest) -> Access {
    Access::to("ecr:PutAccountSetting").key("ecr:AccountSetting", &input.name)
}

/// Sets a setting of the caller's registry.
pub(crate) async fn put_account_setting(
    ecr: &Ecr,
    ctx: &Ctx,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, Error> {
    let name = AccountSettingName::admit(&input.name)?;
    name.admit_value(&input.value)?;
    let setting = AccountSetting { value: input.value };
    let mut attempts = Attempts::new();
    loop {
        let outcome = keep(ecr, ctx, name, &setting).await;
        if !attempts.again(&outcome) {
            outcome?;
            return Ok(PutAccountSettingResponse { name: Some(input.name), value: Some(setting.value) });
        }
    }
}

async fn keep(ecr: &Ecr, ctx: &Ctx, name: AccountSettingName, setting: &AccountSetting) -> Result<(), Error> {
    let (store, scope) = (&ecr.platform.store, ctx.scope());
    let found: Option<Versioned<AccountSetting>> = store.read(&scope, &[name.as_str()]).await?;
    let mut tx = Tx::new();
    match &found {
        Some(present) => tx.replace(present, setting),
        None => tx.insert(&scope, &[name.as_str()], setting),
    };
    store.commit(tx).await?;
    Ok(())
}
