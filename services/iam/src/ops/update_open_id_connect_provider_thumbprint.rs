//! Replaces the thumbprints of an OpenID Connect provider.

use platform::{Access, Ctx};

use crate::api::UpdateOpenIDConnectProviderThumbprintRequest;
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &UpdateOpenIDConnectProviderThumbprintRequest) -> Access {
    Access::to("iam:UpdateOpenIDConnectProviderThumbprint").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn update_open_id_connect_provider_thumbprint(
    iam: &Iam,
    ctx: &Ctx,
    input: UpdateOpenIDConnectProviderThumbprintRequest,
) -> Result<(), Error> {
    let change = |provider: &mut OidcProvider| provider.set_thumbprints(input.thumbprint_list.clone());
    iam.change::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, change).await?;
    Ok(())
}
