//! ListAccountSettings.

use platform::{Access, Ctx};
use store::Versioned;

use crate::account_setting::{self, AccountSetting};
use crate::api::{ListAccountSettingsRequest, ListAccountSettingsResponse, Setting, SettingName};
use crate::{Ecs, Error, page};

/// The largest page of this list, and the one that is answered when none is asked for.
const SETTINGS_MAX: i32 = 10;

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &ListAccountSettingsRequest) -> Access {
    Access::to("ecs:ListAccountSettings")
}

/// Lists the settings of a principal: those that it has set itself, or, on demand, what holds for it.
pub(crate) async fn list_account_settings(
    ecs: &Ecs,
    ctx: &Ctx,
    input: ListAccountSettingsRequest,
) -> Result<ListAccountSettingsResponse, Error> {
    let limit = page::size(input.max_results, SETTINGS_MAX)?;
    if input.value.is_some() && input.name.is_none() {
        return Err(Error::SettingNameMissing);
    }
    let principal =
        account_setting::principal(&ctx.principal, ctx.principal.is_root(), input.principal_arn.as_deref())?;
    let effective = input.effective_settings.unwrap_or(false);
    let list = format!("ListAccountSettings/{effective}/{principal}");
    let after = page::open(&ecs.platform, ctx, &list, input.next_token.as_deref())?;
    let names = SettingName::ALL.iter().copied().filter(|name| input.name.is_none_or(|wanted| wanted == *name));
    let mut names: Vec<SettingName> =
        names.filter(|name| after.as_deref().is_none_or(|after| name.as_str() > after)).collect();
    names.sort_by_key(|name| name.as_str());
    let found = if effective {
        effective_settings(ecs, ctx, &names, &principal).await?
    } else {
        own_settings(ecs, ctx, &names, &principal).await?
    };
    let mut settings: Vec<Setting> =
        found.into_iter().filter(|it| input.value.is_none() || it.value == input.value).collect();
    let has_more = settings.len() > limit;
    settings.truncate(limit);
    let last = settings.last().and_then(|it| it.name).map(|name| name.as_str().to_owned());
    let next_token = page::next(&ecs.platform, ctx, &list, last.as_ref().filter(|_| has_more));
    Ok(ListAccountSettingsResponse { settings: Some(settings), next_token })
}

async fn effective_settings(
    ecs: &Ecs,
    ctx: &Ctx,
    names: &[SettingName],
    principal: &str,
) -> Result<Vec<Setting>, Error> {
    let (store, scope) = (&ecs.platform.store, ctx.scope());
    let mut settings = Vec::with_capacity(names.len());
    for name in names {
        let holds = account_setting::effective(store, &scope, ctx.account(), *name, principal).await?;
        settings.push(account_setting::describe(*name, holds.value, holds.principal));
    }
    Ok(settings)
}

async fn own_settings(ecs: &Ecs, ctx: &Ctx, names: &[SettingName], principal: &str) -> Result<Vec<Setting>, Error> {
    let ids: Vec<[&str; 2]> = names.iter().map(|name| [name.as_str(), principal]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 2]>::as_slice).collect();
    let found: Vec<Option<Versioned<AccountSetting>>> = ecs.platform.store.read_many(&ctx.scope(), &ids).await?;
    let describe = |(name, setting): (&SettingName, Option<Versioned<AccountSetting>>)| {
        setting.map(|it| account_setting::describe(*name, it.value.value, principal.to_owned()))
    };
    Ok(names.iter().zip(found).filter_map(describe).collect())
}
