//! ListLayers.

use std::collections::BTreeMap;

use platform::{Access, Ctx};

use crate::api::{LayersListItem, ListLayersRequest, ListLayersResponse};
use crate::configuration::runtime;
use crate::layer::versions;
use crate::names::LayerName;
use crate::{Error, Lambda, page};

/// The longest page; the model says it, too.
const PAGE_MAX: usize = 50;

/// Who may.
pub(crate) fn access(_: &Ctx, _: &ListLayersRequest) -> Access {
    Access::to("lambda:ListLayers")
}

/// Lists the account's layers by their names, each with its latest version of those that are asked for.
pub(crate) async fn list_layers(
    lambda: &Lambda,
    ctx: &Ctx,
    input: ListLayersRequest,
) -> Result<ListLayersResponse, Error> {
    const LIST: &str = "lambda:ListLayers";
    let asked = input.compatible_runtime.as_deref();
    runtime::check_of_layer("compatibleRuntime", asked)?;
    let after = page::open(lambda, ctx, LIST, input.marker.as_deref())?;
    let mut latest = BTreeMap::new();
    for version in versions(lambda, &ctx.scope(), None).await? {
        if version.fits(asked, input.compatible_architecture) {
            // They come in the order of their numbers.
            latest.insert(version.layer.clone(), version);
        }
    }
    let all: Vec<_> = latest.into_iter().collect();
    let (page, last) =
        page::cut(all, after.as_deref(), page::size(input.max_items, PAGE_MAX), |(name, _)| name.clone());
    let told = page.into_iter().map(|(name, version)| {
        let layer = LayerName { account: ctx.account(), region: ctx.region.clone(), name };
        LayersListItem {
            latest_matching_version: Some(version.describe_briefly(&layer)),
            layer_arn: Some(layer.arn()),
            layer_name: Some(layer.name),
        }
    });
    Ok(ListLayersResponse { layers: Some(told.collect()), next_marker: page::next(lambda, ctx, LIST, last.as_deref()) })
}
