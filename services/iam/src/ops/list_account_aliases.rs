//! Lists the account's aliases: one or none.

use platform::{Access, Ctx};

use crate::account_alias::{AccountAlias, ONLY};
use crate::api::{ListAccountAliasesRequest, ListAccountAliasesResponse};
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, _input: &ListAccountAliasesRequest) -> Access {
    Access::to("iam:ListAccountAliases")
}

pub(crate) async fn list_account_aliases(
    iam: &Iam,
    ctx: &Ctx,
    input: ListAccountAliasesRequest,
) -> Result<ListAccountAliasesResponse, Error> {
    let request = PageRequest::new(iam, ctx, "ListAccountAliases", input.marker.as_deref(), input.max_items)?;
    let held = iam.platform.store.read::<AccountAlias>(&ctx.global_scope(), &[ONLY]).await?;
    let page = request.of(held.map(|alias| (alias.0.clone(), alias.value.0)));
    Ok(ListAccountAliasesResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        account_aliases: page.items,
    })
}
