//! GetLayerVersionPolicy.

use platform::{Access, Ctx};

use crate::api::{GetLayerVersionPolicyRequest, GetLayerVersionPolicyResponse};
use crate::layer::{find, no_version, number};
use crate::names::LayerName;
use crate::{Error, Lambda};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetLayerVersionPolicyRequest) -> Access {
    let number = u64::try_from(input.version_number).unwrap_or_default();
    Access::to("lambda:GetLayerVersionPolicy").on(LayerName::read(ctx, &input.layer_name).version_arn(number))
}

/// Tells who else may use a layer's version.
pub(crate) async fn get_layer_version_policy(
    lambda: &Lambda,
    ctx: &Ctx,
    input: GetLayerVersionPolicyRequest,
) -> Result<GetLayerVersionPolicyResponse, Error> {
    let (layer, number) = (LayerName::read(ctx, &input.layer_name), number(input.version_number)?);
    let version = find(lambda, &layer, number).await?.ok_or_else(|| no_version(&layer, number))?;
    if version.policy.is_empty() {
        return Err(Error::NotFound("No policy is associated with the given resource.".to_owned()));
    }
    Ok(GetLayerVersionPolicyResponse {
        policy: Some(version.policy.document()),
        revision_id: Some(version.revision.clone()),
    })
}
