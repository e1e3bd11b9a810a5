//! CompleteLayerUpload.

use platform::{Access, Ctx};

use crate::api::{CompleteLayerUploadRequest, CompleteLayerUploadResponse};
use crate::digest::ContentDigest;
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository, upload};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &CompleteLayerUploadRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:CompleteLayerUpload").on(name.arn())
}

/// Makes an upload a layer of its repository.
pub(crate) async fn complete_layer_upload(
    ecr: &Ecr,
    ctx: &Ctx,
    input: CompleteLayerUploadRequest,
) -> Result<CompleteLayerUploadResponse, Error> {
    let digest = only_digest(&input.layer_digests)?;
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let held = upload::hold(ecr, &repository, &input.upload_id).await?;
    if held.session.length() == 0 {
        return Err(Error::EmptyUpload);
    }
    if held.record.has_small_part {
        return Err(Error::LayerPartTooSmall);
    }
    if upload::finish(ecr, &repository, held, &digest, ctx.now).await?.existed {
        return Err(Error::LayerExists { name: repository.name, digest });
    }
    Ok(CompleteLayerUploadResponse {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name),
        upload_id: Some(input.upload_id),
        layer_digest: Some(digest.into()),
    })
}

/// The digest that the layer is to have: a request can list several, but a layer has one.
fn only_digest(digests: &[String]) -> Result<ContentDigest, Error> {
    match digests {
        [digest] => digest.parse().map_err(|_| {
            Error::parameter("layerDigests", "must be the SHA-256 or SHA-512 digest of the layer, in lower case")
        }),
        _ => Err(Error::parameter("layerDigests", "must have exactly one element")),
    }
}
