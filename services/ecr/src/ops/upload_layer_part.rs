//! UploadLayerPart.

use platform::{Access, Ctx};

use crate::api::{UploadLayerPartRequest, UploadLayerPartResponse};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository, upload};

/// The smallest part that another one may follow. (API reference, LayerPartTooSmallException.)
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &UploadLayerPartRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:UploadLayerPart").on(name.arn())
}

/// Adds a part to an upload. Parts come one after the other.
pub(crate) async fn upload_layer_part(
    ecr: &Ecr,
    ctx: &Ctx,
    input: UploadLayerPartRequest,
) -> Result<UploadLayerPartResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let held = upload::hold(ecr, &repository, &input.upload_id).await?;
    let (received, length) = (held.session.length(), input.layer_part_blob.len());
    let follows = u64::try_from(input.part_first_byte) == Ok(received);
    let fits = input.part_last_byte.checked_sub(input.part_first_byte).and_then(|span| span.checked_add(1))
        == i64::try_from(length).ok();
    if !follows || !fits || length == 0 {
        let (first, upload) = (input.part_first_byte, input.upload_id);
        return Err(Error::InvalidLayerPart { first, name: repository.name, upload, received });
    }
    let is_small = length < PART_BYTES_MIN;
    let session = held.session.append(input.layer_part_blob).await?;
    upload::note_part(ecr, &repository, &held.record, is_small, ctx.now).await?;
    drop(session);
    Ok(UploadLayerPartResponse {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name),
        upload_id: Some(input.upload_id),
        last_byte_received: Some(input.part_last_byte),
    })
}
