//! GetLayerVersion.

use platform::{Access, Ctx};

use crate::api::{GetLayerVersionRequest, GetLayerVersionResponse};
use crate::layer::{find, none, number};
use crate::names::LayerName;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetLayerVersionRequest) -> Access {
    let number = u64::try_from(input.version_number).unwrap_or_default();
    Access::to("lambda:GetLayerVersion").on(LayerName::read(ctx, &input.layer_name).version_arn(number))
}

/// Tells of a layer's version, with an address at which its archive is for ten minutes.
pub(crate) async fn get_layer_version(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse, Error> {
    let layer = LayerName::read(ctx, &input.layer_name);
    let version = find(lambda, &layer, number(input.version_number)?).await?.ok_or_else(none)?;
    Ok(version.describe(lambda, ctx, &layer))
}
