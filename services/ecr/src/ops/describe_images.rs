//! DescribeImages.

use platform::{Access, Ctx};
use store::Versioned;

use crate::api::{DescribeImagesRequest, DescribeImagesResponse, ImageDetail, ImageIdentifier, ImageStatus};
use crate::image::list::{Filter, images};
use crate::image::{Manifest, identifier};
use crate::names::RepositoryName;
use crate::repository::Found;
use crate::{Ecr, Error, page, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DescribeImagesRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:DescribeImages").on(name.arn())
}

/// Describes images, by digest or tag or all of them.
pub(crate) async fn describe_images(
    ecr: &Ecr,
    ctx: &Ctx,
    input: DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let filter = input.filter.map(|it| Filter { tags: it.tag_status, status: it.image_status });
    let (found, next_token) = match input.image_ids {
        Some(_) if filter.is_some() => return Err(Error::Together("imageIds", "filter")),
        Some(_) if input.next_token.is_some() => return Err(Error::Together("imageIds", "nextToken")),
        Some(_) if input.max_results.is_some() => return Err(Error::Together("imageIds", "maxResults")),
        Some(ids) => (named(ecr, &repository, ids).await?, None),
        None => {
            let limit = page::size(input.max_results, page::PAGE_DEFAULT);
            let token = input.next_token.as_deref();
            images(ecr, ctx, &repository, filter.unwrap_or_default(), (token, limit)).await?
        }
    };
    let details = found.iter().map(|manifest| describe(&repository, manifest)).collect();
    Ok(DescribeImagesResponse { image_details: Some(details), next_token })
}

async fn named(ecr: &Ecr, repository: &Found, ids: Vec<ImageIdentifier>) -> Result<Vec<Versioned<Manifest>>, Error> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let manifest = match identifier::named(&id) {
            Ok(named) => identifier::find(&ecr.platform.store, repository, &named).await?,
            Err(failure) => Err(failure),
        };
        found.push(manifest.map_err(|_| Error::ImageNotFound { name: repository.name.clone(), id })?);
    }
    Ok(found)
}

fn describe(repository: &Found, manifest: &Versioned<Manifest>) -> ImageDetail {
    let storage = manifest.storage;
    let status = if storage.is_archived { ImageStatus::Archived } else { ImageStatus::Active };
    ImageDetail {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name.clone()),
        image_digest: Some(manifest.name().to_owned()),
        image_tags: (!manifest.tags.is_empty()).then(|| manifest.tags.clone()),
        image_size_in_bytes: Some(i64::try_from(manifest.image_size).unwrap_or(i64::MAX)),
        image_pushed_at: Some(manifest.pushed),
        // Nothing scans images.
        image_scan_status: None,
        image_scan_findings_summary: None,
        image_manifest_media_type: Some(manifest.media_type.clone()),
        artifact_media_type: manifest.artifact_type.clone(),
        last_recorded_pull_time: manifest.last_pulled,
        subject_manifest_digest: manifest.subject.clone().map(Into::into),
        image_status: Some(status),
        last_archived_at: storage.archived,
        last_activated_at: storage.activated,
    }
}
