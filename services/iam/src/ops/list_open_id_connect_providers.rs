//! Lists the ARNs of all OpenID Connect providers of the account.

use platform::{Access, Ctx};

use crate::api::{
    ListOpenIDConnectProvidersRequest, ListOpenIDConnectProvidersResponse, OpenIDConnectProviderListEntry,
};
use crate::entity::{Entity, Noun};
use crate::oidc_provider::OidcProvider;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, _input: &ListOpenIDConnectProvidersRequest) -> Access {
    Access::to("iam:ListOpenIDConnectProviders").on(Noun::OidcProvider.named(ctx, ""))
}

pub(crate) async fn list_open_id_connect_providers(
    iam: &Iam,
    ctx: &Ctx,
    _input: ListOpenIDConnectProvidersRequest,
) -> Result<ListOpenIDConnectProvidersResponse, Error> {
    // The quota leaves all of them room in one page.
    let request = PageRequest::new(iam, ctx, "ListOpenIDConnectProviders", None, None)?;
    let page = iam.entities::<OidcProvider>(request, None).await?;
    let arn = |provider: OidcProvider| provider.identity.arn(OidcProvider::NOUN, ctx.account()).to_string();
    let entry = |provider| OpenIDConnectProviderListEntry { arn: Some(arn(provider)) };
    let list = page.items.into_iter().map(entry).collect();
    Ok(ListOpenIDConnectProvidersResponse { open_id_connect_provider_list: Some(list) })
}
