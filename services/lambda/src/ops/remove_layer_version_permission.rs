//! RemoveLayerVersionPermission.

use platform::{Access, Ctx};

use crate::api::RemoveLayerVersionPermissionRequest;
use crate::layer::{amend, number};
use crate::names::LayerName;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &RemoveLayerVersionPermissionRequest) -> Access {
    let number = u64::try_from(input.version_number).unwrap_or_default();
    Access::to("lambda:RemoveLayerVersionPermission").on(LayerName::read(ctx, &input.layer_name).version_arn(number))
}

/// Takes back what AddLayerVersionPermission has given.
pub(crate) async fn remove_layer_version_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: RemoveLayerVersionPermissionRequest,
) -> Result<(), Error> {
    let (layer, number) = (LayerName::read(ctx, &input.layer_name), number(input.version_number)?);
    let expected = input.revision_id.as_deref();
    amend(lambda, &layer, number, expected, |policy| policy.remove(&input.statement_id)).await.map(drop)
}
