//! GetRegistryPolicy.

use platform::{Access, Ctx};

use crate::api::{GetRegistryPolicyRequest, GetRegistryPolicyResponse};
use crate::{Ecr, Error, registry_policy};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &GetRegistryPolicyRequest) -> Access {
    Access::to("ecr:GetRegistryPolicy")
}

/// Answers the policy of the caller's registry.
pub(crate) async fn get_registry_policy(
    ecr: &Ecr,
    ctx: &Ctx,
    _input: GetRegistryPolicyRequest,
) -> Result<GetRegistryPolicyResponse, Error> {
    let found = registry_policy::find(&ecr.platform.store, &ctx.scope(), ctx.account()).await?;
    let registry_id = Some(ctx.account().to_string());
    Ok(GetRegistryPolicyResponse { registry_id, policy_text: Some(found.value.text) })
}
