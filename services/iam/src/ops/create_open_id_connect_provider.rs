//! Makes an OpenID Connect provider. Without thumbprints its server is known by the public certificate authorities alone.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::{CreateOpenIDConnectProviderRequest, CreateOpenIDConnectProviderResponse};
use crate::entity::{Entity, Identity, Noun, insert};
use crate::oidc_provider::{OidcProvider, name_of};
use crate::tag::{pairs, present};
use crate::{Error, Iam};

pub(crate) fn access(ctx: &Ctx, input: &CreateOpenIDConnectProviderRequest) -> Access {
    let name = name_of(&input.url).unwrap_or_default();
    Access::to("iam:CreateOpenIDConnectProvider")
        .on(Noun::OidcProvider.named(ctx, &name))
        .request_tags(pairs(input.tags.as_deref().unwrap_or_default()))
}

pub(crate) async fn create_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: CreateOpenIDConnectProviderRequest,
) -> Result<CreateOpenIDConnectProviderResponse, Error> {
    let name = name_of(&input.url)?;
    let identity = Identity::new(iam, ctx, OidcProvider::NOUN, name, None, input.tags)?;
    let (clients, thumbprints) = (input.client_id_list.unwrap_or_default(), input.thumbprint_list.unwrap_or_default());
    let provider = OidcProvider::new(identity, input.url, clients, thumbprints)?;
    iam.check_quota::<OidcProvider>(ctx).await?;
    iam.transact(|| async {
        iam.check_is_free::<OidcProvider>(ctx, &provider.identity.name).await?;
        let mut tx = Tx::new();
        insert(&mut tx, &ctx.global_scope(), &provider);
        Ok((tx, ()))
    })
    .await?;
    iam.note_made(ctx, OidcProvider::NOUN);
    Ok(CreateOpenIDConnectProviderResponse {
        open_id_connect_provider_arn: Some(provider.identity.arn(OidcProvider::NOUN, ctx.account()).to_string()),
        tags: present(&provider.identity.tags),
    })
}
