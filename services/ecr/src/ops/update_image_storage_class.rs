//! UpdateImageStorageClass.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::{ImageStatus, TargetStorageClass, UpdateImageStorageClassRequest, UpdateImageStorageClassResponse};
use crate::image::{self, Storage, identifier};
use crate::names::RepositoryName;
use crate::repository::Found;
use crate::{Ecr, Error, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UpdateImageStorageClassRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:UpdateImageStorageClass").on(name.arn())
}

/// Archives an image, which cannot be pulled then, or takes it out of the archive. Either is done when this is answered.
pub(crate) async fn update_image_storage_class(
    ecr: &Ecr,
    ctx: &Ctx,
    input: UpdateImageStorageClassRequest,
) -> Result<UpdateImageStorageClassResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let mut attempts = Attempts::new();
    loop {
        let outcome = update(ecr, ctx, &repository, &input).await;
        if !attempts.again(&outcome) {
            let (digest, storage) = outcome?;
            let status = if storage.is_archived { ImageStatus::Archived } else { ImageStatus::Active };
            return Ok(UpdateImageStorageClassResponse {
                registry_id: Some(repository.name.registry.to_string()),
                repository_name: Some(repository.name.name),
                image_id: Some(identifier::identifier(&digest, input.image_id.image_tag.as_deref())),
                image_status: Some(status),
            });
        }
    }
}

async fn update(
    ecr: &Ecr,
    ctx: &Ctx,
    repository: &Found,
    input: &UpdateImageStorageClassRequest,
) -> Result<(String, Storage), Error> {
    let store = &ecr.platform.store;
    let found = match identifier::named(&input.image_id) {
        Ok(named) => identifier::find(store, repository, &named).await?,
        Err(failure) => Err(failure),
    };
    let id = &input.image_id;
    let manifest = found.map_err(|_| Error::ImageNotFound { name: repository.name.clone(), id: id.clone() })?;
    let digest = manifest.name().to_owned();
    let mut changed = manifest.value.clone();
    let changes = match input.target_storage_class {
        TargetStorageClass::Archive => changed.storage.archive(ctx.now),
        TargetStorageClass::Standard => changed.storage.activate(ctx.now),
    };
    if changes && changed.storage.is_archived {
        let is_kept = match digest.parse() {
            Ok(digest) => !image::parents(store, repository, &digest, 1).await?.is_empty(),
            Err(_) => false,
        };
        if is_kept {
            return Err(Error::StorageClass("the image is referenced by a manifest list"));
        }
    }
    if changes {
        let mut tx = Tx::new();
        tx.replace(&manifest, &changed);
        store.commit(tx).await?;
    }
    Ok((digest, changed.storage))
}
