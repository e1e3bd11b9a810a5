//! GetLayerVersionByArn.

use platform::{Access, Ctx};

use crate::api::{GetLayerVersionByArnRequest, GetLayerVersionResponse};
use crate::layer::{find, none};
use crate::names::LayerName;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetLayerVersionByArnRequest) -> Access {
    Access::to("lambda:GetLayerVersion").on(input.arn.as_str())
}

/// Tells of a layer's version, with an address at which its archive is for ten minutes.
pub(crate) async fn get_layer_version_by_arn(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionResponse, Error> {
    let Some((layer, Some(number))) = LayerName::of_arn(&input.arn) else { return Err(none()) };
    if layer.region != ctx.region {
        return Err(none());
    }
    let version = find(lambda, &layer, number).await?.ok_or_else(none)?;
    Ok(version.describe(lambda, ctx, &layer))
}
