//! PutBucketLifecycleConfiguration.

use platform::{Access, Ctx};

use crate::api::{
    ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter, PutBucketLifecycleConfigurationOutput,
    PutBucketLifecycleConfigurationRequest, Tag, TransitionDefaultMinimumObjectSize,
};
use crate::lifecycle::{Expiration, Filter, Lifecycle, NoncurrentTransition, Rule, Transition};
use crate::{Error, S3, bucket, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketLifecycleConfigurationRequest) -> Access {
    Access::to("s3:PutLifecycleConfiguration").on(names::bucket_arn(&input.bucket))
}

/// Gives a bucket lifecycle rules in place of those that it has.
pub(crate) async fn put_bucket_lifecycle_configuration(
    s3: &S3,
    _: &Ctx,
    input: PutBucketLifecycleConfigurationRequest,
) -> Result<PutBucketLifecycleConfigurationOutput, Error> {
    let said = input.lifecycle_configuration.ok_or(Error::MalformedXml)?;
    let new_id = || base::ids::uuid(&*s3.platform.rng);
    let rules = said.rules.into_iter().map(|rule| rule_of(rule, new_id)).collect::<Result<_, _>>()?;
    let lifecycle = Lifecycle { rules };
    lifecycle.check()?;
    bucket::store_setting(s3, &input.bucket, input.expected_bucket_owner.as_deref(), &lifecycle).await?;
    Ok(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(TransitionDefaultMinimumObjectSize::AllStorageClasses128k),
    })
}

fn rule_of(rule: LifecycleRule, new_id: impl Fn() -> String) -> Result<Rule, Error> {
    let has_old_prefix = match (&rule.prefix, &rule.filter) {
        (Some(_), Some(_)) | (None, None) => return Err(Error::MalformedXml),
        (prefix, _) => prefix.is_some(),
    };
    let filter = match rule.filter {
        Some(filter) => filter_of(filter)?,
        None => Filter { prefix: rule.prefix, ..Filter::default() },
    };
    let noncurrent = rule.noncurrent_version_expiration;
    let transitions = rule.transitions.into_iter().flatten().map(|it| {
        let storage_class = it.storage_class.ok_or(Error::MalformedXml)?.as_str().to_owned();
        Ok(Transition { days: it.days, date: it.date, storage_class })
    });
    let noncurrent_transitions = rule.noncurrent_version_transitions.into_iter().flatten().map(|it| {
        let storage_class = it.storage_class.ok_or(Error::MalformedXml)?.as_str().to_owned();
        let (days, newer_versions) = (it.noncurrent_days, it.newer_noncurrent_versions);
        Ok(NoncurrentTransition { days, newer_versions, storage_class })
    });
    Ok(Rule {
        id: rule.id.filter(|id| !id.is_empty()).unwrap_or_else(new_id),
        is_enabled: rule.status == ExpirationStatus::Enabled,
        filter,
        has_old_prefix,
        expiration: rule.expiration.map(expiration_of).transpose()?.flatten(),
        noncurrent_days: noncurrent.as_ref().and_then(|it| it.noncurrent_days),
        newer_noncurrent_versions: noncurrent.as_ref().and_then(|it| it.newer_noncurrent_versions),
        abort_days: rule.abort_incomplete_multipart_upload.and_then(|it| it.days_after_initiation),
        transitions: transitions.collect::<Result<_, Error>>()?,
        noncurrent_transitions: noncurrent_transitions.collect::<Result<_, Error>>()?,
    })
}

/// When what is latest expires; none where delete markers are said to stay, and nothing else.
fn expiration_of(said: LifecycleExpiration) -> Result<Option<Expiration>, Error> {
    match (said.days, said.date, said.expired_object_delete_marker) {
        (Some(days), None, None) => Ok(Some(Expiration::Days(days))),
        (None, Some(date), None) => Ok(Some(Expiration::Date(date))),
        (None, None, Some(true)) => Ok(Some(Expiration::DeleteMarker)),
        (None, None, Some(false)) => Ok(None),
        _ => Err(Error::MalformedXml),
    }
}

fn filter_of(filter: LifecycleRuleFilter) -> Result<Filter, Error> {
    let conditions = [
        filter.and.is_some(),
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if conditions.into_iter().filter(|said| *said).count() > 1 {
        return Err(Error::MalformedXml);
    }
    let bytes = |size: Option<i64>| size.and_then(|size| u64::try_from(size).ok());
    let pair = |tag: Tag| (tag.key, tag.value);
    Ok(match filter.and {
        Some(and) => Filter {
            prefix: and.prefix,
            tags: and.tags.into_iter().flatten().map(pair).collect(),
            larger_than: bytes(and.object_size_greater_than),
            smaller_than: bytes(and.object_size_less_than),
            is_and: true,
        },
        None => Filter {
            prefix: filter.prefix,
            tags: filter.tag.into_iter().map(pair).collect(),
            larger_than: bytes(filter.object_size_greater_than),
            smaller_than: bytes(filter.object_size_less_than),
            is_and: false,
        },
    })
}
