//! ListImages.

use platform::{Access, Ctx};

use crate::api::{ListImagesRequest, ListImagesResponse};
use crate::image::identifier::identifier;
use crate::image::list::{Filter, names};
use crate::names::RepositoryName;
use crate::{Ecr, Error, page, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListImagesRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:ListImages").on(name.arn())
}

/// Lists the digests and tags of a repository.
pub(crate) async fn list_images(ecr: &Ecr, ctx: &Ctx, input: ListImagesRequest) -> Result<ListImagesResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let filter = input.filter.map(|it| Filter { tags: it.tag_status, status: it.image_status }).unwrap_or_default();
    let limit = page::size(input.max_results, page::PAGE_DEFAULT);
    let (found, next_token) = names(ecr, ctx, &repository, filter, (input.next_token.as_deref(), limit)).await?;
    let image_ids = found.iter().map(|(digest, tag)| identifier(digest, tag.as_deref())).collect();
    Ok(ListImagesResponse { image_ids: Some(image_ids), next_token })
}
