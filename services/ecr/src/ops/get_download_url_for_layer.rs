//! GetDownloadUrlForLayer.

use platform::{Access, Ctx};

use crate::api::{GetDownloadUrlForLayerRequest, GetDownloadUrlForLayerResponse};
use crate::digest::ContentDigest;
use crate::names::RepositoryName;
use crate::registry::LayerUrl;
use crate::{Ecr, Error, endpoint, image, layer, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetDownloadUrlForLayerRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:GetDownloadUrlForLayer").on(name.arn())
}

/// Answers a URL at which a layer of an image can be downloaded for a while, by whoever has the URL.
pub(crate) async fn get_download_url_for_layer(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetDownloadUrlForLayerRequest,
) -> Result<GetDownloadUrlForLayerResponse, Error> {
    let digest: ContentDigest = input.layer_digest.parse().map_err(|_| {
        Error::parameter("layerDigest", "must be the SHA-256 or SHA-512 digest of the layer, in lower case")
    })?;
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let store = &ecr.platform.store;
    let repository = repository::find(store, name).await?;
    if layer::read(store, &repository, &digest).await?.is_none() {
        return Err(Error::LayerNotFound { name: repository.name, digest });
    }
    // "You can only get URLs for image layers that are referenced in an image." (API reference)
    if !image::is_blob_used(store, &repository.record.scope, repository.id(), &digest).await? {
        return Err(Error::LayerInaccessible { name: repository.name, digest });
    }
    let path = LayerUrl::of(&repository, &digest, ctx.now).path(&ecr.platform);
    // The sealed path knows its registry, so the caller's own address will do for every registry.
    let url = format!("{}{path}", endpoint::registry_url(ctx, ecr.public_address.as_ref(), ctx.account()));
    Ok(GetDownloadUrlForLayerResponse { download_url: Some(url), layer_digest: Some(digest.into()) })
}
