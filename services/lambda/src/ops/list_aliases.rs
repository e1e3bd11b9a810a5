//! ListAliases.

use platform::{Access, Ctx};

use crate::api::{ListAliasesRequest, ListAliasesResponse};
use crate::function::{aliases, find};
use crate::names::Target;
use crate::{Error, Lambda, describe, page};

/// The longest page. (API reference: "returns a maximum of 50 items in each response".)
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListAliasesRequest) -> Access {
    Access::to("lambda:ListAliases").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Lists a function's aliases by their names, all or those that lead to one version.
pub(crate) async fn list_aliases(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListAliasesRequest,
) -> Result<ListAliasesResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    let function = find(lambda, &name).await?;
    let list = format!("lambda:ListAliases/{}", function.uid);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let mut all = aliases(lambda, &function).await?;
    if let Some(version) = &input.function_version {
        all.retain(|alias| alias.function_version == *version);
    }
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |alias| alias.name.clone());
    Ok(ListAliasesResponse {
        aliases: Some(page.iter().map(|alias| describe::alias(&name, alias)).collect()),
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
    })
}
