//! GetBucketLifecycleConfiguration.

use platform::{Access, Ctx};

use crate::api::{
    AbortIncompleteMultipartUpload, ExpirationStatus, GetBucketLifecycleConfigurationOutput,
    GetBucketLifecycleConfigurationRequest, LifecycleExpiration, LifecycleRule, LifecycleRuleAndOperator,
    LifecycleRuleFilter, NoncurrentVersionExpiration, NoncurrentVersionTransition, Transition,
    TransitionDefaultMinimumObjectSize,
};
use crate::describe::{size, tag_set};
use crate::lifecycle::{Expiration, Filter, Lifecycle, Rule};
use crate::{Absent, Error, S3, bucket, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketLifecycleConfigurationRequest) -> Access {
    Access::to("s3:GetLifecycleConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Answers the lifecycle rules.
pub(crate) async fn get_bucket_lifecycle_configuration(
    s3: &S3,
    _: &Ctx,
    input: GetBucketLifecycleConfigurationRequest,
) -> Result<GetBucketLifecycleConfigurationOutput, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let lifecycle: Lifecycle = bucket::required(&s3.platform.store, &bucket, Absent::Lifecycle).await?;
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(lifecycle.rules.into_iter().map(described).collect()),
        transition_default_minimum_object_size: Some(TransitionDefaultMinimumObjectSize::AllStorageClasses128k),
    })
}

fn described(rule: Rule) -> LifecycleRule {
    let some = |list: Vec<Transition>| (!list.is_empty()).then_some(list);
    let transitions = rule.transitions.into_iter().map(|it| Transition {
        days: it.days,
        date: it.date,
        storage_class: it.storage_class.parse().ok(),
    });
    let noncurrent: Vec<_> = rule
        .noncurrent_transitions
        .into_iter()
        .map(|it| NoncurrentVersionTransition {
            noncurrent_days: it.days,
            newer_noncurrent_versions: it.newer_versions,
            storage_class: it.storage_class.parse().ok(),
        })
        .collect();
    let has_noncurrent = rule.noncurrent_days.is_some() || rule.newer_noncurrent_versions.is_some();
    LifecycleRule {
        id: Some(rule.id),
        status: if rule.is_enabled { ExpirationStatus::Enabled } else { ExpirationStatus::Disabled },
        prefix: rule.filter.prefix.clone().filter(|_| rule.has_old_prefix),
        filter: (!rule.has_old_prefix).then(|| filter(rule.filter)),
        expiration: rule.expiration.map(expiration),
        noncurrent_version_expiration: has_noncurrent.then_some(NoncurrentVersionExpiration {
            noncurrent_days: rule.noncurrent_days,
            newer_noncurrent_versions: rule.newer_noncurrent_versions,
        }),
        abort_incomplete_multipart_upload: rule
            .abort_days
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        transitions: some(transitions.collect()),
        noncurrent_version_transitions: (!noncurrent.is_empty()).then_some(noncurrent),
    }
}

fn expiration(expiration: Expiration) -> LifecycleExpiration {
    match expiration {
        Expiration::Days(days) => LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() },
        Expiration::Date(date) => LifecycleExpiration { date: Some(date), ..LifecycleExpiration::default() },
        Expiration::DeleteMarker => {
            LifecycleExpiration { expired_object_delete_marker: Some(true), ..LifecycleExpiration::default() }
        }
    }
}

fn filter(filter: Filter) -> LifecycleRuleFilter {
    let (larger, smaller) = (filter.larger_than.and_then(size), filter.smaller_than.and_then(size));
    let mut tags = tag_set(&filter.tags);
    if filter.is_and {
        return LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                prefix: filter.prefix,
                tags: (!tags.is_empty()).then_some(tags),
                object_size_greater_than: larger,
                object_size_less_than: smaller,
            }),
            ..LifecycleRuleFilter::default()
        };
    }
    LifecycleRuleFilter {
        prefix: filter.prefix,
        tag: tags.pop(),
        object_size_greater_than: larger,
        object_size_less_than: smaller,
        and: None,
    }
}
