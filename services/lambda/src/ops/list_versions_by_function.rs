//! ListVersionsByFunction.

use platform::{Access, Ctx};

use crate::api::{ListVersionsByFunctionRequest, ListVersionsByFunctionResponse};
use crate::describe::Described;
use crate::function::{find, version_id, versions};
use crate::names::{LATEST, Target};
use crate::{Error, Lambda, page};

/// The longest page. (API reference: "returns a maximum of 50 items in each response".)
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListVersionsByFunctionRequest) -> Access {
    Access::to("lambda:ListVersionsByFunction").on(Target::read(ctx, &input.function_name, None).function.arn())
}

/// Lists `$LATEST` and all published versions, the oldest first.
pub(crate) async fn list_versions_by_function(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListVersionsByFunctionRequest,
) -> Result<ListVersionsByFunctionResponse, Error> {
    let name = Target::of_request(ctx, &input.function_name, None)?.function;
    let function = find(lambda, &name).await?;
    let list = format!("lambda:ListVersionsByFunction/{}", function.uid);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let mut all =
        vec![(String::new(), Described::latest(&name, &function).under(name.qualified(LATEST)).brief(lambda)?)];
    for version in versions(lambda, &function).await? {
        all.push((version_id(version.number), Described::version(&name, &version).brief(lambda)?));
    }
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |(id, _)| id.clone());
    Ok(ListVersionsByFunctionResponse {
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
        versions: Some(page.into_iter().map(|(_, told)| told).collect()),
    })
}
