//! ListImageReferrers.

use std::collections::BTreeMap;

use platform::{Access, Ctx};
use serde::Deserialize;
use store::Versioned;

use crate::api::{
    ArtifactStatus, ArtifactStatusFilter, ImageReferrer, ListImageReferrersFilter, ListImageReferrersRequest,
    ListImageReferrersResponse,
};
use crate::image::room::ANSWERED_BYTES_MAX;
use crate::image::{Manifest, readable_referrers};
use crate::names::RepositoryName;
use crate::{Ecr, Error, page, repository};

/// The page that is answered when none is asked for; it is the largest, too.
const PAGE_DEFAULT: usize = 50;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &ListImageReferrersRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:ListImageReferrers").on(name.arn())
}

/// Lists the artifacts that refer to an image.
pub(crate) async fn list_image_referrers(
    ecr: &Ecr,
    ctx: &Ctx,
    input: ListImageReferrersRequest,
) -> Result<ListImageReferrersResponse, Error> {
    let subject = input.subject_id.image_digest.parse();
    let subject = subject.map_err(|_| Error::parameter("subjectId", "must have a SHA-256 or SHA-512 digest"))?;
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let list = format!("ListImageReferrers/{}/{subject}", repository.id());
    let mut after = page::open(&ecr.platform, ctx, &list, input.next_token.as_deref())?;
    let limit = page::size(input.max_results, PAGE_DEFAULT);
    let filter = input.filter.unwrap_or(ListImageReferrersFilter { artifact_types: None, artifact_status: None });
    let (store, mut found, mut bytes) = (&ecr.platform.store, Vec::new(), 0);
    // A filter may leave little of a page: it is filled up.
    loop {
        let limits = (limit - found.len(), ANSWERED_BYTES_MAX - bytes);
        let (manifests, next) = readable_referrers(store, &repository, &subject, after.as_deref(), limits).await?;
        let wanted = manifests.into_iter().filter(|manifest| has(&filter, manifest));
        found.extend(wanted.inspect(|manifest| bytes += manifest.size));
        after = next;
        if after.is_none() || found.len() == limit || bytes > ANSWERED_BYTES_MAX / 2 {
            break;
        }
    }
    let _room = ecr.room.take(bytes).await;
    let mut referrers = Vec::with_capacity(found.len());
    for manifest in &found {
        referrers.push(describe(ecr, manifest).await?);
    }
    let next_token = page::next(&ecr.platform, ctx, &list, after.as_deref());
    Ok(ListImageReferrersResponse { referrers: Some(referrers), next_token })
}

fn has(filter: &ListImageReferrersFilter, manifest: &Manifest) -> bool {
    let types = filter.artifact_types.as_deref().unwrap_or_default();
    let by_type = types.is_empty() || manifest.artifact_type.as_ref().is_some_and(|own| types.contains(own));
    let by_status = match filter.artifact_status.unwrap_or(ArtifactStatusFilter::Any) {
        ArtifactStatusFilter::Any => true,
        ArtifactStatusFilter::Active => !manifest.storage.is_archived,
        ArtifactStatusFilter::Archived => manifest.storage.is_archived,
        ArtifactStatusFilter::Activating => false,
    };
    by_type && by_status
}

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

async fn describe(ecr: &Ecr, manifest: &Versioned<Manifest>) -> Result<ImageReferrer, Error> {
    let bytes = ecr.content.read(manifest.content, manifest.size).await?;
    // What is not a map of texts has been stored all the same; it has no annotations then.
    let annotations = serde_json::from_slice::<Annotated>(&bytes).map(|it| it.annotations).unwrap_or_default();
    let is_archived = manifest.storage.is_archived;
    Ok(ImageReferrer {
        digest: manifest.name().to_owned(),
        media_type: manifest.media_type.clone(),
        artifact_type: manifest.artifact_type.clone(),
        size: i64::try_from(manifest.size).unwrap_or(i64::MAX),
        annotations: Some(annotations),
        artifact_status: Some(if is_archived { ArtifactStatus::Archived } else { ArtifactStatus::Active }),
    })
}
