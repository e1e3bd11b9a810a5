//! Lists the tags of an OpenID Connect provider.

use platform::{Access, Ctx};

use crate::api::{ListOpenIDConnectProviderTagsRequest, ListOpenIDConnectProviderTagsResponse};
use crate::oidc_provider::OidcProvider;
use crate::page::PageRequest;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &ListOpenIDConnectProviderTagsRequest) -> Access {
    Access::to("iam:ListOpenIDConnectProviderTags").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn list_open_id_connect_provider_tags(
    iam: &Iam,
    ctx: &Ctx,
    input: ListOpenIDConnectProviderTagsRequest,
) -> Result<ListOpenIDConnectProviderTagsResponse, Error> {
    let request =
        PageRequest::new(iam, ctx, "ListOpenIDConnectProviderTags", input.marker.as_deref(), input.max_items)?;
    let page = iam.tags_of::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, request).await?;
    Ok(ListOpenIDConnectProviderTagsResponse {
        is_truncated: page.is_truncated(),
        marker: page.marker,
        tags: page.items,
    })
}
