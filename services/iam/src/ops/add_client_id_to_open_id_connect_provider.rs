//! Adds a client id to an OpenID Connect provider; one that is there stays.

use platform::{Access, Ctx};

use crate::api::AddClientIDToOpenIDConnectProviderRequest;
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &AddClientIDToOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:AddClientIDToOpenIDConnectProvider").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn add_client_id_to_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: AddClientIDToOpenIDConnectProviderRequest,
) -> Result<(), Error> {
    let change = |provider: &mut OidcProvider| provider.add_client(input.client_id.clone());
    iam.change::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, change).await?;
    Ok(())
}
