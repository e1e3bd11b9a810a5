//! GetLifecyclePolicyPreview.

use platform::{Access, Ctx};
use store::{ListOptions, Versioned};

use crate::api::{
    GetLifecyclePolicyPreviewRequest, GetLifecyclePolicyPreviewResponse, ImageActionType, ImageIdentifier,
    LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus, LifecyclePolicyPreviewSummary,
    LifecyclePolicyRuleAction, LifecyclePolicyStorageClass, LifecyclePolicyTargetStorageClass, TagStatus,
    TransitioningImageTotalCount,
};
use crate::lifecycle::{Preview, PreviewResult, PreviewResults, PreviewStatus, RESULTS_A_CHUNK};
use crate::names::RepositoryName;
use crate::repository::Found;
use crate::{Ecr, Error, page, repository};

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &GetLifecyclePolicyPreviewRequest) -> Access {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    Access::to("ecr:GetLifecyclePolicyPreview").on(name.arn())
}

/// Answers how far the last preview of a repository is, and what its policy would do.
pub(crate) async fn get_lifecycle_policy_preview(
    ecr: &Ecr,
    ctx: &Ctx,
    input: GetLifecyclePolicyPreviewRequest,
) -> Result<GetLifecyclePolicyPreviewResponse, Error> {
    let name = RepositoryName::of_request(ctx, input.registry_id.as_deref(), &input.repository_name);
    let repository = repository::find(&ecr.platform.store, name).await?;
    let found = ecr.platform.store.read(&repository.record.scope, &[repository.id()]).await?;
    let preview: Versioned<Preview> = found.ok_or_else(|| Error::PreviewNotFound(repository.name.clone()))?;
    let wanted = Wanted::admit(&input)?;
    let list = format!("GetLifecyclePolicyPreview/{}/{}", repository.id(), preview.value.id);
    let after = page::open(&ecr.platform, ctx, &list, input.next_token.as_deref())?;
    let limit = page::size(input.max_results, page::PAGE_DEFAULT);
    let (status, summary) = status(&preview.status);
    let (results, next) = match status {
        LifecyclePolicyPreviewStatus::Complete => {
            let from = after.and_then(|after| after.parse().ok()).unwrap_or(0);
            results(ecr, &repository, &preview, &wanted, (from, limit)).await?
        }
        _ => (Vec::new(), None),
    };
    let next = next.map(|next| next.to_string());
    Ok(GetLifecyclePolicyPreviewResponse {
        registry_id: Some(repository.name.registry.to_string()),
        repository_name: Some(repository.name.name),
        lifecycle_policy_text: Some(preview.value.text),
        status: Some(status),
        next_token: page::next(&ecr.platform, ctx, &list, next.as_deref()),
        preview_results: Some(results.into_iter().map(describe).collect()),
        summary,
    })
}

/// Which results are asked for.
struct Wanted<'a> {
    ids: Option<&'a [ImageIdentifier]>,
    tags: TagStatus,
}

impl<'a> Wanted<'a> {
    fn admit(input: &'a GetLifecyclePolicyPreviewRequest) -> Result<Self, Error> {
        let filter = input.filter.as_ref().and_then(|filter| filter.tag_status);
        let ids = input.image_ids.as_deref();
        if ids.is_some() && filter.is_some() {
            return Err(Error::Together("imageIds", "filter"));
        }
        if ids.is_some() && (input.next_token.is_some() || input.max_results.is_some()) {
            return Err(Error::Together("imageIds", "nextToken and maxResults"));
        }
        Ok(Self { ids, tags: filter.unwrap_or(TagStatus::Any) })
    }

    fn has(&self, result: &PreviewResult) -> bool {
        let is_named = |id: &ImageIdentifier| {
            id.image_digest.as_ref().is_none_or(|digest| *digest == result.digest)
                && id.image_tag.as_ref().is_none_or(|tag| result.tags.contains(tag))
        };
        self.ids.is_none_or(|ids| ids.iter().any(is_named))
            && match self.tags {
                TagStatus::Any => true,
                TagStatus::Tagged => !result.tags.is_empty(),
                TagStatus::Untagged => result.tags.is_empty(),
            }
    }
}

/// The results from a place on, and the place to go on from.
async fn results(
    ecr: &Ecr,
    repository: &Found,
    preview: &Preview,
    wanted: &Wanted<'_>,
    (from, limit): (usize, usize),
) -> Result<(Vec<PreviewResult>, Option<usize>), Error> {
    let limit = if wanted.ids.is_some() { usize::MAX } else { limit };
    let (mut found, mut place) = (Vec::new(), from / RESULTS_A_CHUNK * RESULTS_A_CHUNK);
    let id = [repository.id(), &preview.id];
    let mut after = place.checked_sub(1).map(|last| format!("{}/{}/{:08}", id[0], id[1], last / RESULTS_A_CHUNK));
    loop {
        let options = ListOptions { id_prefix: &id, after: after.as_deref(), limit: 1, at: None };
        let page = ecr.platform.store.list::<PreviewResults>(&repository.record.scope, options).await?;
        for result in page.items.into_iter().flat_map(|chunk| chunk.value.0) {
            if place >= from && wanted.has(&result) {
                if found.len() == limit {
                    return Ok((found, Some(place)));
                }
                found.push(result);
            }
            place += 1;
        }
        after = page.next;
        if after.is_none() {
            return Ok((found, None));
        }
    }
}

fn status(status: &PreviewStatus) -> (LifecyclePolicyPreviewStatus, Option<LifecyclePolicyPreviewSummary>) {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    match *status {
        PreviewStatus::InProgress => (LifecyclePolicyPreviewStatus::InProgress, None),
        PreviewStatus::Expired => (LifecyclePolicyPreviewStatus::Expired, None),
        PreviewStatus::Complete { expiring, archiving } => {
            let transitioning = TransitioningImageTotalCount {
                target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
                image_total_count: Some(count(archiving)),
            };
            let summary = LifecyclePolicyPreviewSummary {
                expiring_image_total_count: Some(count(expiring)),
                transitioning_image_total_counts: (archiving > 0).then(|| vec![transitioning]),
            };
            (LifecyclePolicyPreviewStatus::Complete, Some(summary))
        }
    }
}

fn describe(result: PreviewResult) -> LifecyclePolicyPreviewResult {
    let action = if result.archives {
        LifecyclePolicyRuleAction {
            r#type: Some(ImageActionType::Transition),
            target_storage_class: Some(LifecyclePolicyTargetStorageClass::Archive),
        }
    } else {
        LifecyclePolicyRuleAction { r#type: Some(ImageActionType::Expire), target_storage_class: None }
    };
    let class =
        if result.is_archived { LifecyclePolicyStorageClass::Archive } else { LifecyclePolicyStorageClass::Standard };
    LifecyclePolicyPreviewResult {
        image_tags: (!result.tags.is_empty()).then_some(result.tags),
        image_digest: Some(result.digest),
        image_pushed_at: Some(result.pushed),
        action: Some(action),
        applied_rule_priority: Some(result.priority),
        storage_class: Some(class),
    }
}
