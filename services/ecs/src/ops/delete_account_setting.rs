//! DeleteAccountSetting.

use platform::{Access, Attempts, Ctx};
use store::{Tx, Versioned};

use crate::account_setting::{self, AccountSetting};
use crate::api::{DeleteAccountSettingRequest, DeleteAccountSettingResponse};
use crate::{Ecs, Error};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, input: &DeleteAccountSettingRequest) -> Access {
    Access::to("ecs:DeleteAccountSetting").key("ecs:account-setting", input.name.as_str())
}

/// Takes a principal's own value away, and answers what holds for it now. To take away what is not there changes
/// nothing.
pub(crate) async fn delete_account_setting(
    ecs: &Ecs,
    ctx: &Ctx,
    input: DeleteAccountSettingRequest,
) -> Result<DeleteAccountSettingResponse, Error> {
    let (store, scope, name) = (&ecs.platform.store, ctx.scope(), input.name);
    let principal =
        account_setting::principal(&ctx.principal, ctx.principal.is_root(), input.principal_arn.as_deref())?;
    let mut attempts = Attempts::new();
    loop {
        let outcome = remove(ecs, ctx, &[name.as_str(), &principal]).await;
        if !attempts.again(&outcome) {
            outcome?;
            break;
        }
    }
    let now = account_setting::effective(store, &scope, ctx.account(), name, &principal).await?;
    Ok(DeleteAccountSettingResponse { setting: Some(account_setting::describe(name, now.value, principal)) })
}

async fn remove(ecs: &Ecs, ctx: &Ctx, id: &[&str]) -> Result<(), Error> {
    let store = &ecs.platform.store;
    let found: Option<Versioned<AccountSetting>> = store.read(&ctx.scope(), id).await?;
    if let Some(present) = found {
        let mut tx = Tx::new();
        tx.remove(&present);
        store.commit(tx).await?;
    }
    Ok(())
}
