//! Lifecycle rules: what expires, and when. Pure; [`crate::reconcile`] executes what is decided here.
//!
//! Source: user guide, "Managing the lifecycle of objects", "Lifecycle configuration elements", and "Conflicts in lifecycle
//! configurations". Transitions are kept as they were given and change nothing: a storage class is a label here.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::Duration;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::Record;

use crate::Error;
use crate::bucket::Setting;

/// The most rules of a bucket.
pub const RULES_MAX: usize = 1000;
/// The most older versions that a rule keeps. (API reference, NoncurrentVersionExpiration.)
const NEWER_VERSIONS_MAX: i32 = 100;
const RULE_ID_CHARS_MAX: usize = 255;
/// The greatest size that a filter names, in bytes, as its error says.
const FILTER_BYTES_MAX: u64 = 1_099_511_627_776_000;
/// The least days before a transition to a class for infrequent access. (User guide: "Transitioning objects", constraints.)
const INFREQUENT_ACCESS_DAYS_MIN: i32 = 30;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// A bucket's rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Whether it is executed.
    pub is_enabled: bool,
    /// To what it applies.
    pub filter: Filter,
    /// Whether the prefix was given outside of a filter, as it was once.
    pub has_old_prefix: bool,
    /// When what is latest expires.
    pub expiration: Option<Expiration>,
    /// When older versions go: after so many days as such, …
    pub noncurrent_days: Option<i32>,
    /// … but for so many of the newest of them.
    pub newer_noncurrent_versions: Option<i32>,
    /// After how many days an upload is aborted.
    pub abort_days: Option<i32>,
    /// Transitions, as they were given: days or a date, and the storage class.
    pub transitions: Vec<Transition>,
    /// The same of older versions.
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
}

/// To what a rule applies: all of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// What the key begins with.
    pub prefix: Option<String>,
    /// Tags that it has.
    pub tags: BTreeMap<String, String>,
    /// It is larger than this, in bytes.
    pub larger_than: Option<u64>,
    /// It is smaller than this.
    pub smaller_than: Option<u64>,
    /// Whether the conditions stood in an `And`.
    pub is_and: bool,
}

/// When what is latest expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after it was written.
    Days(i32),
    /// On this day.
    Date(Timestamp),
    /// A delete marker that nothing older is left under, at once.
    DeleteMarker,
}

/// A change of the storage class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// After so many days, …
    pub days: Option<i32>,
    /// … or on this day.
    pub date: Option<Timestamp>,
    /// To this class.
    pub storage_class: String,
}

/// A change of the storage class of older versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentTransition {
    /// After so many days as such.
    pub days: Option<i32>,
    /// But for so many of the newest.
    pub newer_versions: Option<i32>,
    /// To this class.
    pub storage_class: String,
}

impl Record for Lifecycle {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-lifecycle";
}

impl Setting for Lifecycle {}

/// An object, as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its size, in bytes.
    pub size: u64,
    /// Its tags.
    pub tags: &'a BTreeMap<String, String>,
}

impl Lifecycle {
    /// Checks rules that are to be set.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], [`Error::InvalidRequest`], [`Error::MalformedXml`], in AWS's words.
    pub fn check(&self) -> Result<(), Error> {
        if self.rules.is_empty() || self.rules.len() > RULES_MAX {
            return Err(Error::MalformedXml);
        }
        let mut ids = HashSet::new();
        for rule in &self.rules {
            if rule.id.chars().count() > RULE_ID_CHARS_MAX {
                let message = "ID length should not exceed allowed limit of 255";
                return Err(Error::argument("ID", rule.id.as_str(), message));
            }
            if !ids.insert(rule.id.as_str()) {
                let message = "Rule ID must be unique. Found same ID for more than one rule";
                return Err(Error::argument("ID", rule.id.as_str(), message));
            }
            rule.check()?;
        }
        Ok(())
    }

    /// When an object that was written at an instant expires, and by which rule: what its headers say.
    pub fn expiry(&self, subject: Subject<'_>, modified: Timestamp) -> Option<(Timestamp, &str)> {
        self.enabled()
            .filter(|rule| rule.filter.fits(subject))
            .filter_map(|rule| Some((rule.expiration?.due(modified)?, rule.id.as_str())))
            .min_by_key(|(due, _)| *due)
    }

    /// Whether an object that is latest has expired.
    pub fn is_expired(&self, subject: Subject<'_>, modified: Timestamp, now: Timestamp) -> bool {
        self.expiry(subject, modified).is_some_and(|(due, _)| due <= now)
    }

    /// Whether a delete marker goes under which there is nothing older.
    pub fn removes_marker(&self, key: &str, modified: Timestamp, now: Timestamp) -> bool {
        let subject = Subject { key, size: 0, tags: &BTreeMap::new() };
        self.enabled().filter(|rule| rule.filter.fits(subject)).any(|rule| match rule.expiration {
            Some(Expiration::DeleteMarker) => true,
            Some(expiration) => expiration.due(modified).is_some_and(|due| due <= now),
            None => false,
        })
    }

    /// Whether an older version goes, which is one since an instant, and of which `newer` are newer and older ones, too.
    pub fn removes_noncurrent(&self, subject: Subject<'_>, since: Timestamp, newer: usize, now: Timestamp) -> bool {
        self.enabled().filter(|rule| rule.filter.fits(subject)).any(|rule| {
            let kept = rule.newer_noncurrent_versions.and_then(|kept| usize::try_from(kept).ok()).unwrap_or(0);
            let due = rule.noncurrent_days.map(|days| after_days(since, days));
            due.is_some_and(|due| due <= now) && newer >= kept
        })
    }

    /// When an upload that was begun at an instant is aborted, and by which rule.
    pub fn abort_due(&self, key: &str, initiated: Timestamp) -> Option<(Timestamp, &str)> {
        self.enabled()
            .filter(|rule| rule.filter.prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix)))
            .filter_map(|rule| Some((after_days(initiated, rule.abort_days?), rule.id.as_str())))
            .min_by_key(|(due, _)| *due)
    }

    fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.is_enabled)
    }
}

impl Rule {
    fn check(&self) -> Result<(), Error> {
        let invalid = |message: &str| Err(Error::InvalidRequest(message.to_owned()));
        let days = |name: &'static str, days: Option<i32>, least: i32, message: &str| match days {
            Some(days) if days < least => Err(Error::argument(name, days.to_string(), message)),
            _ => Ok(()),
        };
        let expiration_days = match self.expiration {
            Some(Expiration::Days(days)) => Some(days),
            _ => None,
        };
        days("Days", expiration_days, 1, "'Days' for Expiration action must be a positive integer")?;
        days(
            "NoncurrentDays",
            self.noncurrent_days,
            1,
            "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer",
        )?;
        days(
            "NewerNoncurrentVersions",
            self.newer_noncurrent_versions,
            1,
            "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer",
        )?;
        if self.newer_noncurrent_versions.is_some_and(|kept| kept > NEWER_VERSIONS_MAX) {
            return invalid("'NewerNoncurrentVersions' for NoncurrentVersionExpiration action cannot exceed 100");
        }
        if self.newer_noncurrent_versions.is_some() && self.noncurrent_days.is_none() {
            return Err(Error::MalformedXml);
        }
        days(
            "DaysAfterInitiation",
            self.abort_days,
            1,
            "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer",
        )?;
        if let Some(Expiration::Date(date)) = self.expiration {
            check_midnight(date)?;
        }
        self.check_transitions()?;
        let is_idle = self.expiration.is_none()
            && self.noncurrent_days.is_none()
            && self.abort_days.is_none()
            && self.transitions.is_empty()
            && self.noncurrent_transitions.is_empty();
        if is_idle {
            return invalid("At least one action needs to be specified in a rule");
        }
        if self.abort_days.is_some() && !self.filter.tags.is_empty() {
            return invalid("AbortIncompleteMultipartUpload cannot be specified with Tags.");
        }
        if self.abort_days.is_some() && self.filter.has_size() {
            return invalid("AbortIncompleteMultipartUpload cannot be specified with Object Size.");
        }
        if self.expiration == Some(Expiration::DeleteMarker) && !self.filter.tags.is_empty() {
            return invalid("ExpiredObjectDeleteMarker cannot be specified with Tags.");
        }
        if self.expiration == Some(Expiration::DeleteMarker) && self.filter.has_size() {
            return invalid("ExpiredObjectDeleteMarker cannot be specified with Object Size.");
        }
        self.filter.check()
    }

    fn check_transitions(&self) -> Result<(), Error> {
        let mut classes = HashSet::new();
        for transition in &self.transitions {
            transition.check()?;
            if !classes.insert(&transition.storage_class) {
                return Err(self.same_class("Transition"));
            }
            let (Some(Expiration::Days(expires)), Some(days)) = (self.expiration, transition.days) else { continue };
            if expires <= days {
                let message = format!(
                    "'Days' in the Expiration action for filter '{}' must be greater than 'Days' in the Transition action",
                    self.filter
                );
                return Err(Error::argument("Days", expires.to_string(), message));
            }
        }
        classes.clear();
        for transition in &self.noncurrent_transitions {
            let days = transition.days.ok_or(Error::MalformedXml)?;
            if days < 0 {
                let message = "'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative";
                return Err(Error::argument("NoncurrentDays", days.to_string(), message));
            }
            if !classes.insert(&transition.storage_class) {
                return Err(self.same_class("NoncurrentVersionTransition"));
            }
        }
        Ok(())
    }

    fn same_class(&self, action: &str) -> Error {
        Error::InvalidRequest(format!(
            "'StorageClass' must be different for '{action}' actions in same 'Rule' with filter '{}'",
            self.filter
        ))
    }
}

impl Transition {
    fn check(&self) -> Result<(), Error> {
        match (self.days, self.date) {
            (Some(days), None) if days < 0 => {
                let message = "'Days' in Transition action must be nonnegative";
                Err(Error::argument("Days", days.to_string(), message))
            }
            (Some(days), None) if days < INFREQUENT_ACCESS_DAYS_MIN && self.storage_class.ends_with("_IA") => {
                let message = format!(
                    "'Days' in Transition action must be greater than or equal to {INFREQUENT_ACCESS_DAYS_MIN} for \
                     storageClass '{}'",
                    self.storage_class
                );
                Err(Error::argument("Days", days.to_string(), message))
            }
            (None, Some(date)) => check_midnight(date),
            (Some(_), None) => Ok(()),
            (None, None) | (Some(_), Some(_)) => Err(Error::MalformedXml),
        }
    }
}

fn check_midnight(date: Timestamp) -> Result<(), Error> {
    match date.as_millis().rem_euclid(DAY_MS) {
        0 => Ok(()),
        _ => Err(Error::argument("Date", date.iso8601(), "'Date' must be at midnight GMT")),
    }
}

impl Filter {
    /// How many conditions there are.
    fn count(&self) -> usize {
        let others = [self.prefix.is_some(), self.larger_than.is_some(), self.smaller_than.is_some()];
        others.into_iter().filter(|said| *said).count() + self.tags.len()
    }

    fn has_size(&self) -> bool {
        self.larger_than.is_some() || self.smaller_than.is_some()
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |message: String| Err(Error::InvalidRequest(message));
        if self.is_and && self.count() < 2 {
            return Err(Error::MalformedXml);
        }
        if self.larger_than.is_some_and(|size| size > FILTER_BYTES_MAX) {
            return invalid(format!("'ObjectSizeGreaterThan' should be between 0 and {FILTER_BYTES_MAX}."));
        }
        if self.smaller_than.is_some_and(|size| !(1..=FILTER_BYTES_MAX).contains(&size)) {
            return invalid(format!("'ObjectSizeLessThan' should be between 1 and {FILTER_BYTES_MAX}."));
        }
        match (self.larger_than, self.smaller_than) {
            (Some(larger), Some(smaller)) if smaller <= larger => {
                invalid("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn fits(&self, subject: Subject<'_>) -> bool {
        self.prefix.as_deref().is_none_or(|prefix| subject.key.starts_with(prefix))
            && self.tags.iter().all(|(key, value)| subject.tags.get(key) == Some(value))
            && self.larger_than.is_none_or(|size| subject.size > size)
            && self.smaller_than.is_none_or(|size| subject.size < size)
    }
}

/// As errors name it.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut conditions: Vec<String> = self.prefix.iter().map(|prefix| format!("prefix={prefix}")).collect();
        conditions.extend(self.tags.iter().map(|(key, value)| format!("tag={{key={key}, value={value}}}")));
        conditions.extend(self.larger_than.map(|size| format!("objectsizegreaterthan={size}")));
        conditions.extend(self.smaller_than.map(|size| format!("objectsizelessthan={size}")));
        match conditions.is_empty() {
            true => f.write_str("(prefix=)"),
            false => write!(f, "({})", conditions.join(" and ")),
        }
    }
}

impl Expiration {
    fn due(self, modified: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Days(days) => Some(after_days(modified, days)),
            Self::Date(date) => Some(date),
            Self::DeleteMarker => None,
        }
    }
}

/// So many days after an instant, rounded up to the next midnight. (User guide: "the result is rounded up to the next day at
/// midnight UTC".)
fn after_days(instant: Timestamp, days: i32) -> Timestamp {
    let days = Duration::from_secs(u64::try_from(days).unwrap_or_default() * 24 * 3600);
    let day = instant.plus(days).as_millis().div_euclid(DAY_MS) + 1;
    Timestamp::from_millis(day.saturating_mul(DAY_MS))
}

#[cfg(test)]
mod tests;
