//! Takes a client id from an OpenID Connect provider; one that is not there is passed over.

use platform::{Access, Ctx};

use crate::api::RemoveClientIDFromOpenIDConnectProviderRequest;
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &RemoveClientIDFromOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:RemoveClientIDFromOpenIDConnectProvider").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn remove_client_id_from_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: RemoveClientIDFromOpenIDConnectProviderRequest,
) -> Result<(), Error> {
    let change = |provider: &mut OidcProvider| {
        provider.client_ids.retain(|id| *id != input.client_id);
        Ok(())
    };
    iam.change::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, change).await?;
    Ok(())
}
