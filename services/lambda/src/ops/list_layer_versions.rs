//! ListLayerVersions.

use platform::{Access, Ctx};

use crate::api::{ListLayerVersionsRequest, ListLayerVersionsResponse};
use crate::configuration::runtime;
use crate::layer::versions;
use crate::names::LayerName;
use crate::{Error, Lambda, page};

/// The longest page; the model says it, too.
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(_: &Ctx, _: &ListLayerVersionsRequest) -> Access {
    Access::to("lambda:ListLayerVersions")
}

/// Lists the versions of a layer, the latest first.
pub(crate) async fn list_layer_versions(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse, Error> {
    let asked = input.compatible_runtime.as_deref();
    runtime::check_of_layer("compatibleRuntime", asked)?;
    let layer = LayerName::read(ctx, &input.layer_name);
    if layer.account != ctx.account() {
        return Err(Error::AccessDenied("The versions of a layer are listed to its own account.".to_owned()));
    }
    let list = format!("lambda:ListLayerVersions/{}", layer.name);
    let after = page::open(lambda, ctx, &list, input.marker.as_deref())?;
    let mut all = versions(lambda, &layer.scope(), Some(&layer.name)).await?;
    all.retain(|version| version.fits(asked, input.compatible_architecture));
    all.reverse();
    let key = |number: u64| format!("{:020}", u64::MAX - number);
    let size = page::size(input.max_items, PAGE_MAX);
    let (page, last) = page::cut(all, after.as_deref(), size, |version| key(version.number));
    Ok(ListLayerVersionsResponse {
        layer_versions: Some(page.iter().map(|version| version.describe_briefly(&layer)).collect()),
        next_marker: page::next(lambda, ctx, &list, last.as_deref()),
    })
}
