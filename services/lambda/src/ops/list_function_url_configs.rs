//! ListFunctionUrlConfigs.

use platform::{Access, Ctx};

use crate::api::{ListFunctionUrlConfigsRequest, ListFunctionUrlConfigsResponse};
use crate::function::{attached_everywhere, find, is_latest};
use crate::names::Target;
use crate::url::no_function;
use crate::{Error, Lambda, page};

/// The longest page; the model says it, too.
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListFunctionUrlConfigsRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    Access::to("lambda:ListFunctionUrlConfigs").on(function.arn())
}

/// Lists the addresses of a function and of its aliases.
pub(crate) async fn list_function_url_configs(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListFunctionUrlConfigsRequest,
) -> Result<ListFunctionUrlConfigsResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    let function = find(lambda, &name).await.map_err(no_function)?;
    let list = format!("lambda:ListFunctionUrlConfigs/{}", function.uid);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let all = attached_everywhere(lambda, &function).await?.into_iter();
    let all: Vec<_> = all.filter_map(|(qualifier, attached)| Some((qualifier, attached.url?))).collect();
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |(qualifier, _)| qualifier.clone());
    let told = page.into_iter().map(|(qualifier, url)| {
        let qualifier = (!is_latest(&qualifier)).then_some(qualifier);
        url.describe(lambda, &Target { function: name.clone(), qualifier }, ctx.is_secure)
    });
    Ok(ListFunctionUrlConfigsResponse {
        function_url_configs: told.collect(),
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
    })
}
