//! PutAccountSetting.

use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::account_setting::{self, AccountSetting};
use crate::api::{PutAccountSettingRequest, PutAccountSettingResponse, Setting, SettingName};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &PutAccountSettingRequest) -> Access {
    Access::to("ecs:PutAccountSetting").key("ecs:account-setting", input.name.as_str())
}

/// Sets a setting for the caller, or, by the root user, for another principal.
pub(crate) async fn put_account_setting(
    ecs: &Ecs,
    ctx: &Ctx,
    input: PutAccountSettingRequest,
) -> Result<PutAccountSettingResponse, Error> {
    account_setting::admit(input.name, &input.value)?;
    let named = input.principal_arn.as_deref();
    let principal = account_setting::principal(&ctx.principal, ctx.principal.is_root(), named)?;
    let setting = put(ecs, ctx, input.name, &principal, input.value).await?;
    Ok(PutAccountSettingResponse { setting: Some(setting) })
}

/// Sets a setting that has been checked for a principal that has been, too.
pub(crate) async fn put(
    ecs: &Ecs,
    ctx: &Ctx,
    name: SettingName,
    principal: &str,
    value: String,
) -> Result<Setting, Error> {
    let setting = AccountSetting { value: value.clone() };
    let mut attempts = Attempts::new();
    loop {
        let outcome = keep(ecs, ctx, &[name.as_str(), principal], &setting).await;
        if !attempts.again(&outcome) {
            outcome?;
            return Ok(account_setting::describe(name, value, principal.to_owned()));
        }
    }
}

async fn keep(ecs: &Ecs, ctx: &Ctx, id: &[&str], setting: &AccountSetting) -> Result<(), Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let found: Option<Versioned<AccountSetting>> = store.read(&scope, id).await?;
    let mut tx = Tx::new();
    match &found {
        Some(present) => tx.replace(present, setting),
        None => tx.insert(&scope, id, setting),
    };
    store.commit(tx).await?;
    Ok(())
}
