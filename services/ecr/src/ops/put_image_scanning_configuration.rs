//! PutImageScanningConfiguration.

use platform::{Access, Ctx};

use crate::api::{PutImageScanningConfigurationRequest, PutImageScanningConfigurationResponse};
use crate::names::RepositoryName;
use crate::repository::{self, Repository};
use crate::{Ecr, Error};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &PutImageScanningConfigurationRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:PutImageScanningConfiguration").on(name.arn())
}

/// Keeps whether images are to be scanned when they are pushed. Nothing scans them yet, and no operation says that
/// something did.
pub(crate) async fn put_image_scanning_configuration(
    ecr: &Ecr,
    ctx: &Ctx,
    input: PutImageScanningConfigurationRequest,
) -> Result<PutImageScanningConfigurationResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let scan_on_push = input.image_scanning_configuration.scan_on_push.unwrap_or(false);
    let change = |repository: &mut Repository| {
        repository.scan_on_push = scan_on_push;
        Ok(())
    };
    let changed = repository::update(&ecr.platform.store, &name, change).await?;
    Ok(PutImageScanningConfigurationResponse {
        registry_id: Some(name.registry.to_string()),
        repository_name: Some(name.name),
        image_scanning_configuration: Some(changed.describe_scanning()),
    })
}
