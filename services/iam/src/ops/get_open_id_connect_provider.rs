//! Answers an OpenID Connect provider.

use platform::{Access, Ctx};

use crate::api::{GetOpenIDConnectProviderRequest, GetOpenIDConnectProviderResponse};
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &GetOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:GetOpenIDConnectProvider").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn get_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: GetOpenIDConnectProviderRequest,
) -> Result<GetOpenIDConnectProviderResponse, Error> {
    let provider = iam.find::<OidcProvider>(ctx, &input.open_id_connect_provider_arn).await?.value;
    Ok(GetOpenIDConnectProviderResponse {
        client_id_list: Some(provider.client_ids.clone()),
        create_date: Some(provider.created()),
        tags: Some(provider.identity.tags.clone()),
        thumbprint_list: Some(provider.thumbprints.clone()),
        url: Some(provider.identity.name),
    })
}
