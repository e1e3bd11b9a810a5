//! GetAuthorizationToken.

use platform::{Access, Ctx};

use crate::api::{AuthorizationData, GetAuthorizationTokenRequest, GetAuthorizationTokenResponse};
use crate::endpoint::registry_url;
use crate::token::{Bearer, basic};
use crate::{Ecr, Error, names};

/// Who may.
pub(crate) fn access(_ctx: &Ctx, _input: &GetAuthorizationTokenRequest) -> Access {
    Access::to("ecr:GetAuthorizationToken")
}

/// Answers a token that stands for the caller at the registry. It is good for every registry that the caller may use; the
/// registries that a request names differ in their addresses alone.
pub(crate) async fn get_authorization_token(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetAuthorizationTokenRequest,
) -> Result<GetAuthorizationTokenResponse, Error> {
    let bearer = Bearer::of(ctx);
    let token = basic(&bearer.seal(&ecr.platform));
    let named = input.registry_ids.unwrap_or_default();
    let registries = match named.is_empty() {
        true => vec![ctx.account()],
        false => named.iter().map(|id| names::registry(ctx, Some(id))).collect(),
    };
    let data = registries.into_iter().map(|registry| AuthorizationData {
        authorization_token: Some(token.clone()),
        expires_at: Some(bearer.expires),
        proxy_endpoint: Some(registry_url(ctx, ecr.public_address.as_ref(), registry)),
    });
    Ok(GetAuthorizationTokenResponse { authorization_data: Some(data.collect()) })
}
