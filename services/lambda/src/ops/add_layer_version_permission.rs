//! AddLayerVersionPermission.

use platform::{Access, Ctx};

use crate::api::{AddLayerVersionPermissionRequest, AddLayerVersionPermissionResponse};
use crate::layer::{amend, number};
use crate::names::LayerName;
use crate::permission::of_layer;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &AddLayerVersionPermissionRequest) -> Access {
    let number = u64::try_from(input.version_number).unwrap_or_default();
    Access::to("lambda:AddLayerVersionPermission").on(LayerName::read(ctx, &input.layer_name).version_arn(number))
}

/// Lets others use a layer's version.
pub(crate) async fn add_layer_version_permission(
    lambda: &Lambda,
    ctx: &Ctx,
    input: AddLayerVersionPermissionRequest,
) -> Result<AddLayerVersionPermissionResponse, Error> {
    let (layer, number) = (LayerName::read(ctx, &input.layer_name), number(input.version_number)?);
    let arn = layer.version_arn(number);
    let organization = input.organization_id.as_deref();
    let statement = of_layer(&input.statement_id, &input.action, &input.principal, organization, &arn)?;
    let revision =
        amend(lambda, &layer, number, input.revision_id.as_deref(), |policy| policy.add(statement.clone())).await?;
    Ok(AddLayerVersionPermissionResponse { revision_id: Some(revision), statement: Some(statement.to_string()) })
}
