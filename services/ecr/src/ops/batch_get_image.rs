//! BatchGetImage.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{BatchGetImageRequest, BatchGetImageResponse, Image, ImageFailureCode, ImageIdentifier};
use crate::image::identifier::{self, Failure};
use crate::image::room::ANSWERED_BYTES_MAX;
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
    let (mut found, mut bytes) = (Vec::new(), 0);
    for id in input.image_ids {
        match find(ecr, &repository, &id, accepted).await? {
            Ok(manifest) if bytes + manifest.size > ANSWERED_BYTES_MAX => failures.push(too_much().of(id)),
            Ok(mut manifest) => {
                bytes += manifest.size;
                pull::note(ecr, &manifest, ctx.now).await?;
                manifest.value.forget_blobs();
                found.push((id, manifest));
            }
            Err(failure) => failures.push(failure.of(id)),
        }
    }
    let _room = ecr.room.take(bytes).await;
    for (id, manifest) in found {
        images.push(image(ecr, &repository, &id, &manifest).await?);
    }
    Ok(BatchGetImageResponse { images: Some(images), failures: Some(failures) })
}

fn too_much() -> Failure {
    const REASON: &str =
        "The manifests of the images before it have as many bytes as an answer can have; ask for fewer at once";
    Failure::new(ImageFailureCode::ImageInaccessible, REASON)
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
    repository: &Found,
    id: &ImageIdentifier,
    manifest: &Versioned<Manifest>,
) -> Result<Image, Error> {
    let bytes = ecr.content.read(manifest.content, manifest.size).await?;
    Ok(Image {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name.clone()),
        image_id: Some(identifier::identifier(manifest.name(), id.image_tag.as_deref())),
        // It was read as JSON, which is UTF-8, before it was stored.
        image_manifest: Some(String::from_utf8_lossy(&bytes).into_owned()),
        image_manifest_media_type: Some(manifest.media_type.clone()),
    })
}
