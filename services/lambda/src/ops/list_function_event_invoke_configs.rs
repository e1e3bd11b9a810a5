//! ListFunctionEventInvokeConfigs.

use platform::{Access, Ctx};

use crate::api::{ListFunctionEventInvokeConfigsRequest, ListFunctionEventInvokeConfigsResponse};
use crate::event_invoke::no_function;
use crate::function::{attached_everywhere, find};
use crate::names::Target;
use crate::{Error, Lambda, page};

/// The longest page; the model says it, too.
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListFunctionEventInvokeConfigsRequest) -> Access {
    let function = Target::read(ctx, &input.function_name, None).function;
    Access::to("lambda:ListFunctionEventInvokeConfigs").on(function.arn())
}

/// Lists what was said of events, of a function and of its versions and aliases.
pub(crate) async fn list_function_event_invoke_configs(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListFunctionEventInvokeConfigsRequest,
) -> Result<ListFunctionEventInvokeConfigsResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    let function = find(lambda, &name).await.map_err(no_function)?;
    let list = format!("lambda:ListFunctionEventInvokeConfigs/{}", function.uid);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let all = attached_everywhere(lambda, &function).await?.into_iter();
    let all: Vec<_> = all.filter_map(|(qualifier, attached)| Some((qualifier, attached.event_invoke?))).collect();
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |(qualifier, _)| qualifier.clone());
    let told = page.into_iter().map(|(qualifier, said)| said.describe(name.qualified(&qualifier))).collect();
    Ok(ListFunctionEventInvokeConfigsResponse {
        function_event_invoke_configs: Some(told),
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
    })
}
