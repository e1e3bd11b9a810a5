//! PutBucketLifecycleConfiguration.

use std::collections::BTreeMap;

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
    // What is less than nothing is refused as what is too large is.
    let bytes = |size: Option<i64>| size.map(|size| u64::try_from(size).unwrap_or(u64::MAX));
    Ok(match filter.and {
        Some(and) => Filter {
            prefix: and.prefix,
            tags: tags_of(and.tags.unwrap_or_default())?,
            larger_than: bytes(and.object_size_greater_than),
            smaller_than: bytes(and.object_size_less_than),
            is_and: true,
        },
        None => Filter {
            prefix: filter.prefix,
            tags: tags_of(filter.tag.into_iter().collect())?,
            larger_than: bytes(filter.object_size_greater_than),
            smaller_than: bytes(filter.object_size_less_than),
            is_and: false,
        },
    })
}

fn tags_of(said: Vec<Tag>) -> Result<BTreeMap<String, String>, Error> {
    let count = said.len();
    let tags: BTreeMap<String, String> = said.into_iter().map(|tag| (tag.key, tag.value)).collect();
    match tags.len() == count {
        true => Ok(tags),
        false => Err(Error::InvalidRequest("Duplicate Tag Keys are not allowed.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::LifecycleRuleAndOperator;

    fn refused(filter: LifecycleRuleFilter) -> (&'static str, String) {
        let rule = LifecycleRule {
            status: ExpirationStatus::Enabled,
            filter: Some(filter),
            expiration: Some(LifecycleExpiration { days: Some(1), ..Default::default() }),
            ..Default::default()
        };
        let checked = rule_of(rule, || "id".to_owned()).and_then(|rule| Lifecycle { rules: vec![rule] }.check());
        let error = checked.unwrap_err();
        (error.kind().0, error.to_string())
    }

    #[test]
    fn a_filter_that_would_fit_everything_by_mistake_is_refused() {
        for size in [-1, 0, i64::MAX] {
            let (code, text) = refused(LifecycleRuleFilter { object_size_less_than: Some(size), ..Default::default() });
            assert_eq!(code, "InvalidRequest", "{size}");
            assert_eq!(text, "'ObjectSizeLessThan' should be between 1 and 1099511627776000.");
        }
        let negative = LifecycleRuleFilter { object_size_greater_than: Some(-1), ..Default::default() };
        assert_eq!(refused(negative).0, "InvalidRequest");
        let and = |and| refused(LifecycleRuleFilter { and: Some(and), ..Default::default() });
        assert_eq!(and(LifecycleRuleAndOperator::default()).0, "MalformedXML");
        let alone = LifecycleRuleAndOperator { prefix: Some("logs/".to_owned()), ..Default::default() };
        assert_eq!(and(alone).0, "MalformedXML");
        let tag = Tag { key: "k".to_owned(), value: "v".to_owned() };
        let twice = LifecycleRuleAndOperator { tags: Some(vec![tag.clone(), tag]), ..Default::default() };
        assert_eq!(and(twice), ("InvalidRequest", "Duplicate Tag Keys are not allowed.".to_owned()));
        let empty_range = LifecycleRuleAndOperator {
            object_size_greater_than: Some(7),
            object_size_less_than: Some(7),
            ..Default::default()
        };
        assert_eq!(and(empty_range).1, "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.");
    }
}
