//! BatchGetImage.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{BatchGetImageRequest, BatchGetImageResponse, Image, ImageFailureCode, ImageIdentifier};
use crate::image::identifier::{self, Failure};
use crate::image::{Manifest, pull};
use crate::names::RepositoryName;
use crate::repository::Found;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &BatchGetImageRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:BatchGetImage").on(name.arn())
}

/// Answers manifests. One that is not there is a failure of the answer, not of the request.
pub(crate) async fn batch_get_image(
    ecr: &Ecr,
    ctx: &Ctx,
    input: BatchGetImageRequest,
) -> Result<BatchGetImageResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let accepted = input.accepted_media_types.as_deref();
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in input.image_ids {
        match find(ecr, &repository, &id, accepted).await? {
            Ok(manifest) => images.push(image(ecr, ctx, &repository, &id, &manifest).await?),
            Err(failure) => failures.push(failure.of(id)),
        }
    }
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}

async fn find(
    ecr: &Ecr,
    repository: &Found,
    id: &ImageIdentifier,
    accepted: Option<&[String]>,
) -> Result<Result<Versioned<Manifest>, Failure>, Error> {
    let named = match identifier::named(id) {
        Ok(named) => named,
        Err(failure) => return Ok(Err(failure)),
    };
    let found = identifier::find(&ecr.platform.store, repository, &named).await?;
    Ok(found.and_then(|manifest| {
        if accepted.is_some_and(|accepted| !accepted.contains(&manifest.media_type)) {
            let reason = format!("Requested image has the media type {}, which is not accepted", manifest.media_type);
            return Err(Failure::new(ImageFailureCode::ImageNotFound, reason));
        }
        if manifest.storage.is_archived {
            return Err(Failure::new(ImageFailureCode::ImageInaccessible, "Requested image is archived"));
        }
        Ok(manifest)
    }))
}

async fn image(
    ecr: &Ecr,
    ctx: &Ctx,
    repository: &Found,
    id: &ImageIdentifier,
    manifest: &Versioned<Manifest>,
) -> Result<Image, Error> {
    let bytes = pull::pull(ecr, manifest, ctx.now).await?;
    Ok(Image {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name.clone()),
        image_id: Some(identifier::identifier(manifest.name(), id.image_tag.as_deref())),
        // It was read as JSON, which is UTF-8, before it was stored.
        image_manifest: Some(String::from_utf8_lossy(&bytes).into_owned()),
        image_manifest_media_type: Some(manifest.media_type.clone()),
    })
}
