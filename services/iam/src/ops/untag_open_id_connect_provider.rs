//! Removes tags from an OpenID Connect provider.

use platform::{Access, Ctx};

use crate::api::UntagOpenIDConnectProviderRequest;
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &UntagOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:UntagOpenIDConnectProvider")
        .on(&*input.open_id_connect_provider_arn)
        .tag_keys(input.tag_keys.iter().map(String::as_str))
}

pub(crate) async fn untag_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: UntagOpenIDConnectProviderRequest,
) -> Result<(), Error> {
    iam.untag::<OidcProvider>(ctx, &input.open_id_connect_provider_arn, &input.tag_keys).await
}
