//! InitiateLayerUpload.

use platform::{Access, Ctx};

use crate::api::{InitiateLayerUploadRequest, InitiateLayerUploadResponse};
use crate::names::RepositoryName;
use crate::{Ecr, Error, repository, upload};

/// The size of part that clients are told to use. (API reference, the example.)
const PART_BYTES: i64 = 10 * 1024 * 1024;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &InitiateLayerUploadRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:InitiateLayerUpload").on(name.arn())
}

/// Begins an upload.
pub(crate) async fn initiate_layer_upload(
    ecr: &Ecr,
    ctx: &Ctx,
    input: InitiateLayerUploadRequest,
) -> Result<InitiateLayerUploadResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let upload_id = upload::begin(ecr, &repository, ctx.now).await?;
    Ok(InitiateLayerUploadResponse { upload_id: Some(upload_id), part_size: Some(PART_BYTES) })
}
