//! BatchDeleteImage.

use platform::{Access, Ctx};

use crate::api::{BatchDeleteImageRequest, BatchDeleteImageResponse, ImageIdentifier};
use crate::image::delete::{self, Deleted};
use crate::image::identifier::{self, Failure, Named, identifier};
use crate::names::RepositoryName;
use crate::repository::Found;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &BatchDeleteImageRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:BatchDeleteImage").on(name.arn())
}

/// Deletes images: by digest with all their tags, by tag with their last one. One that cannot be deleted is a failure of
/// the answer, not of the request.
pub(crate) async fn batch_delete_image(
    ecr: &Ecr,
    ctx: &Ctx,
    input: BatchDeleteImageRequest,
) -> Result<BatchDeleteImageResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let (mut image_ids, mut failures) = (Vec::new(), Vec::new());
    for id in input.image_ids {
        match delete(ecr, &repository, &id).await? {
            Ok(deleted) => image_ids.extend(deleted),
            Err(failure) => failures.push(failure.of(id)),
        }
    }
    Ok(BatchDeleteImageResponse { image_ids: Some(image_ids), failures: Some(failures) })
}

/// Deletes what an identifier means, and answers what has gone.
async fn delete(
    ecr: &Ecr,
    repository: &Found,
    id: &ImageIdentifier,
) -> Result<Result<Vec<ImageIdentifier>, Failure>, Error> {
    let store = &ecr.platform.store;
    let named = match identifier::named(id) {
        Ok(named) => named,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Err(failure) = identifier::find(store, repository, &named).await? {
        return Ok(Err(failure));
    }
    let (deleted, tag) = match named {
        Named::Digest(digest) => (delete::image(store, repository, &digest).await?, None),
        Named::Tag(tag) | Named::Both(_, tag) => (delete::tag(store, repository, &tag, false).await?, Some(tag)),
    };
    Ok(match deleted {
        Deleted::Image { digest, tags } if tags.is_empty() => Ok(vec![identifier(digest.as_str(), None)]),
        Deleted::Image { digest, tags } => Ok(tags.iter().map(|tag| identifier(digest.as_str(), Some(tag))).collect()),
        Deleted::Tag { digest } => Ok(vec![identifier(digest.as_str(), tag.as_deref())]),
        Deleted::NotFound => Err(Failure::not_found()),
        Deleted::Referenced(indexes) => Err(Failure::referenced(&indexes)),
    })
}
