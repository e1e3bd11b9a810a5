//! Adds tags to an OpenID Connect provider.

use platform::{Access, Ctx};

use crate::api::TagOpenIDConnectProviderRequest;
use crate::oidc_provider::OidcProvider;
use crate::tag::pairs;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &TagOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:TagOpenIDConnectProvider").on(&*input.open_id_connect_provider_arn).request_tags(pairs(&input.tags))
}

pub(crate) async fn tag_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: TagOpenIDConnectProviderRequest,
) -> Result<(), Error> {
    iam.tag::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, &input.tags).await
}
