//! Removes an OpenID Connect provider; one that is not there is as good as removed.

use platform::{Access, Ctx};
use store::Tx;

use crate::api::DeleteOpenIDConnectProviderRequest;
use crate::entity::Noun;
use crate::oidc_provider::OidcProvider;
use crate::{Error, Iam};

pub(crate) fn access(_ctx: &Ctx, input: &DeleteOpenIDConnectProviderRequest) -> Access {
    Access::to("iam:DeleteOpenIDConnectProvider").on(&*input.open_id_connect_provider_arn)
}

pub(crate) async fn delete_open_id_connect_provider(
    iam: &Iam,
    ctx: &Ctx,
    input: DeleteOpenIDConnectProviderRequest,
) -> Result<(), Error> {
    let is_removed = iam
        .transact(|| async {
            let mut tx = Tx::new();
            match iam.find::<OidcProvider>(ctx, &input.open_id_connect_provider_arn).await {
                Ok(provider) => drop(tx.remove(&provider)),
                Err(Error::NoSuchOidcProvider { .. }) => {}
                Err(other) => return Err(other),
            }
            let is_removed = !tx.is_empty();
            Ok((tx, is_removed))
        })
        .await?;
    if is_removed {
        iam.note_gone(ctx, Noun::OidcProvider);
    }
    Ok(())
}
